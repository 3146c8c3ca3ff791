import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { WORKER } from './paths';

/** Where and as whom a worker runs. */
export interface WorkerSettings {
  address: string;
  namespace: string;
  taskQueue: string;
  identity: string;
  /** Added to the environment of the process. */
  env: Record<string, string>;
  /** Is called with each line that the worker prints. */
  onLine: (line: string) => void;
}

const running = new Set<ChildProcess>();
// No worker outlives the demo, however the demo ends.
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A worker in a process of its own, so that it can be killed like a machine that loses its power. */
export class WorkerProcess {
  readonly identity: string;
  private readonly child: ChildProcess;
  private readonly lines: string[] = [];
  private readonly exited: Promise<void>;
  private waiting: (() => void)[] = [];
  private gone = false;

  private constructor(settings: WorkerSettings) {
    this.identity = settings.identity;
    const { address, namespace, taskQueue, identity } = settings;
    const options = { address, namespace, 'task-queue': taskQueue, identity };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.child = spawn(process.execPath, [WORKER, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...settings.env },
    });
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      const done = () => {
        this.gone = true;
        running.delete(this.child);
        this.wake();
        resolve();
      };
      this.child.once('exit', done);
      this.child.once('error', done);
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.lines.push(line);
      settings.onLine(line);
      this.wake();
    });
  }

  /** Starts a worker and waits until it polls. */
  static async start(settings: WorkerSettings): Promise<WorkerProcess> {
    const worker = new WorkerProcess(settings);
    await worker.printed('ready');
    return worker;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Waits until the worker has printed this line; fails if it ends first. */
  async printed(line: string): Promise<void> {
    while (!this.lines.includes(line)) {
      if (this.gone) throw new Error(`${this.identity} ended before it printed "${line}"`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Ends the process without any warning to it, as a crash would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Asks the process to finish what it is doing and to end. */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    waiting.forEach((resolve) => resolve());
  }
}
