import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Workflow, WorkflowHandle } from '@temporalio/client';
import { type Call, calls } from '../outside-world';
import type { Printer } from './printer';
import { WorkerProcess } from './worker-process';

/** What all samples of one demo share. */
export interface Setting {
  client: Client;
  address: string;
  namespace: string;
  /** Makes ids and task queues unique, so the demo can run again on the same server. */
  tag: string;
}

/** What one sample's demo has at hand: workers to start and kill, workflows to start, checks. */
export class Stage {
  readonly failures: string[] = [];
  checks = 0;
  kills = 0;
  private readonly workers: WorkerProcess[] = [];
  private readonly handles: WorkflowHandle[] = [];

  constructor(
    private readonly name: string,
    private readonly setting: Setting,
    private readonly printer: Printer,
  ) {}

  /** A workflow id that no other run of the demo uses. */
  id(name: string): string {
    return `${name}-${this.setting.tag}`;
  }

  /** Tells the reader something. */
  say(text: string): void {
    this.printer.line('demo', text, 'cyan');
  }

  /** Notes whether something holds. The sample goes on either way, and fails at its end. */
  check(what: string, holds: boolean, detail = ''): void {
    this.checks += 1;
    if (!holds) this.failures.push(detail === '' ? what : `${what}: ${detail}`);
    const text = holds || detail === '' ? what : `${what}: ${detail}`;
    this.printer.line(holds ? 'ok' : 'FAILED', text, holds ? 'green' : 'red');
  }

  /** Checks that two values are the same all through. */
  equal(what: string, actual: unknown, expected: unknown): void {
    const detail = `expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`;
    this.check(what, isDeepStrictEqual(actual, expected), detail);
  }

  /** Starts a worker process and waits until it polls. */
  async startWorker(env: Record<string, string> = {}): Promise<WorkerProcess> {
    const identity = `worker ${this.workers.length + 1}`;
    const worker = await WorkerProcess.start({
      address: this.setting.address,
      namespace: this.setting.namespace,
      taskQueue: this.id(this.name),
      identity,
      env,
      onLine: (line) => {
        const retried = /attempt ([2-9]|\d\d)/.test(line);
        if (line !== 'ready') this.printer.line(identity, this.short(line), retried ? 'yellow' : undefined);
      },
    });
    this.workers.push(worker);
    this.printer.line(identity, `started, process ${worker.pid}`);
    return worker;
  }

  /** Ends a worker as a crash would. */
  async kill(worker: WorkerProcess): Promise<void> {
    await worker.kill();
    this.kills += 1;
    this.printer.line(worker.identity, `KILLED (kill -9 ${worker.pid})`, 'red');
  }

  /** Lets a worker end in peace. */
  async stop(worker: WorkerProcess): Promise<void> {
    await worker.stop();
    this.printer.line(worker.identity, 'stopped');
  }

  /** Starts a workflow on this sample's task queue. */
  async start<T extends Workflow>(
    workflow: T,
    workflowId: string,
    ...args: Parameters<T>
  ): Promise<WorkflowHandle<T>> {
    const handle = await this.setting.client.workflow.start<Workflow>(workflow, {
      workflowId,
      taskQueue: this.id(this.name),
      workflowExecutionTimeout: '1 hour',
      args,
    });
    this.handles.push(handle);
    this.say(`started the workflow ${workflow.name} as ${workflowId}`);
    return handle as WorkflowHandle<T>;
  }

  /** Asks until the answer is something; fails after 20 seconds. */
  async until<T>(what: string, ask: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
      await sleep(50);
    }
  }

  /** The requests that activities made about a subject. */
  calls(activity: string | undefined, subject: string): Call[] {
    return calls().filter(
      (call) => call.subject === subject && (activity === undefined || call.activity === activity),
    );
  }

  /** How many attempts of this sample's activities were repetitions. */
  get retries(): number {
    return calls().filter((call) => call.attempt > 1).length;
  }

  /** The events of a workflow's newest run. */
  async history(workflowId: string) {
    const { events } = await this.setting.client.workflow.getHandle(workflowId).fetchHistory();
    return events ?? [];
  }

  /** The attempt that an activity ended with, and who made it, as the workflow's history tells it. */
  async attempts(workflowId: string, activity: string): Promise<{ attempt: number; identity: string }> {
    const events = await this.history(workflowId);
    const scheduled = events.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
    );
    const started = events.find((event) =>
      event.activityTaskStartedEventAttributes?.scheduledEventId?.eq(scheduled?.eventId ?? 0),
    )?.activityTaskStartedEventAttributes;
    return { attempt: started?.attempt ?? 0, identity: started?.identity ?? '' };
  }

  /** Leaves nothing behind: ends this sample's workers, and its workflows that are still open. */
  async clear(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
    await Promise.all(
      this.handles.map(async (handle) => {
        const { status } = await handle.describe();
        if (status.name === 'RUNNING') await handle.terminate('the demo is over');
      }),
    );
  }

  /** A line without the tag that makes ids unique. */
  private short(line: string): string {
    return line.replaceAll(`-${this.setting.tag}`, '');
  }
}
