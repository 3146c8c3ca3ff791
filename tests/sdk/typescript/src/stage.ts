/** What the tests of one file share: connections, and workers that run as long as a test's body. */
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type {
  Workflow,
  WorkflowHandleWithFirstExecutionRunId,
  WorkflowResultType,
  WorkflowStartOptions,
} from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { BUNDLE } from './paths';

export const ADDRESS = process.env.STEADFAST_ADDRESS ?? '127.0.0.1:7233';
export const NAMESPACE = 'default';

/** Options of a workflow's start; id and task queue are filled in. */
export type StartOptions<T extends Workflow> = Partial<Omit<WorkflowStartOptions<T>, 'args'>> & {
  args?: Parameters<T>;
};

/** A name that nothing else on the server has. */
export function unique(name: string): string {
  return `${name}-${randomUUID()}`;
}

/** Asks until the answer is something. A test that waits in vain is ended by its time limit. */
export async function until<T>(ask: () => Promise<T | null | undefined | false>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    await pause(20);
  }
}

/** A promise, and what resolves it: tests and activities wait for each other with it. */
export class Gate<T = void> {
  open!: (value: T) => void;
  readonly opened = new Promise<T>((resolve) => (this.open = resolve));
}

export class Stage {
  client!: Client;
  native!: NativeConnection;

  /** Connections that are opened before the file's first test, and closed after its last. */
  static forThisFile(prepare: (stage: Stage) => Promise<void> = async () => undefined): Stage {
    const stage = new Stage();
    before(async () => {
      await stage.open();
      await prepare(stage);
    });
    after(() => stage.close());
    return stage;
  }

  async open(): Promise<void> {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    this.client = new Client({ connection: await Connection.connect({ address: ADDRESS }), namespace: NAMESPACE });
    this.native = await NativeConnection.connect({ address: ADDRESS });
  }

  async close(): Promise<void> {
    await this.client.connection.close();
    await this.native.close();
  }

  /** The API itself, for what the client has no words for. */
  get api() {
    return this.client.workflowService;
  }

  /** Runs `body` while a worker polls, by default on a task queue of its own. */
  async withWorker<T>(options: Partial<WorkerOptions>, body: (taskQueue: string) => Promise<T>): Promise<T> {
    const worker = await this.worker(options);
    return await worker.runUntil(() => body(worker.options.taskQueue));
  }

  /** A worker that does not run yet. */
  async worker(options: Partial<WorkerOptions>): Promise<Worker> {
    return await Worker.create({
      connection: this.native,
      namespace: NAMESPACE,
      taskQueue: unique('queue'),
      workflowBundle: { codePath: BUNDLE },
      ...options,
    });
  }

  async start<T extends Workflow>(
    workflow: T,
    taskQueue: string,
    options: StartOptions<T> = {},
  ): Promise<WorkflowHandleWithFirstExecutionRunId<T>> {
    const all = { workflowId: unique(workflow.name), taskQueue, ...options };
    return await this.client.workflow.start<T>(workflow, all as unknown as WorkflowStartOptions<T>);
  }

  async execute<T extends Workflow>(
    workflow: T,
    taskQueue: string,
    options: StartOptions<T> = {},
  ): Promise<WorkflowResultType<T>> {
    const handle = await this.start(workflow, taskQueue, options);
    return await handle.result();
  }

  /** The names of a workflow's events, as `WorkflowExecutionStarted`. */
  async eventNames(workflowId: string, runId?: string): Promise<string[]> {
    return (await this.events(workflowId, runId)).map((event) => {
      const attributes = Object.keys(event).find((key) => key.endsWith('EventAttributes')) ?? '';
      return attributes.charAt(0).toUpperCase() + attributes.slice(1, -'EventAttributes'.length);
    });
  }

  async events(workflowId: string, runId?: string) {
    const history = await this.client.workflow.getHandle(workflowId, runId).fetchHistory();
    return history.events ?? [];
  }
}
