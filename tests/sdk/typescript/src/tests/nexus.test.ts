import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nexus from 'nexus-rpc';
import { WorkflowFailedError } from '@temporalio/client';
import { NexusOperationFailure } from '@temporalio/common';
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { NAMESPACE, Stage, unique, until } from '../stage';
import { callsOperation, cancelsOperation, greetings, release, waits } from '../workflows';

const taskQueue = unique('queue');
const endpoint = unique('endpoint');
const stage = Stage.forThisFile(async ({ client }) => {
  const target = { worker: { namespace: NAMESPACE, taskQueue } };
  await client.connection.operatorService.createNexusEndpoint({ spec: { name: endpoint, target } });
});

/** The workflow behind the slow operation, by the name that it is for. */
function slowId(name: string): string {
  return `${endpoint}-${name}`;
}

const handler = nexus.serviceHandler(greetings, {
  greet: async (_context, name) => `hello ${name}`,
  greetSlowly: new WorkflowRunOperationHandler<string, string>(async (context, name) =>
    startWorkflow(context, waits, { workflowId: slowId(name) }),
  ),
  refuse: async () => {
    throw new nexus.OperationError('failed', 'not today');
  },
});
const withHandler = (body: () => Promise<void>) => stage.withWorker({ taskQueue, nexusServices: [handler] }, body);

test('an operation returns at once', () =>
  withHandler(async () => {
    assert.equal(await stage.execute(callsOperation, taskQueue, { args: [endpoint, 'greet', 'you'] }), 'hello you');
  }));

test('an operation is a workflow, and ends with it', () =>
  withHandler(async () => {
    const handle = await stage.start(callsOperation, taskQueue, { args: [endpoint, 'greetSlowly', 'you'] });
    const behind = stage.client.workflow.getHandle(slowId('you'));
    await until(async () => (await stage.eventNames(handle.workflowId)).includes('NexusOperationStarted'));
    await behind.signal(release, 'good evening');
    assert.equal(await handle.result(), 'good evening');
    const [{ links } = { links: null }] = (await stage.events(handle.workflowId)).filter(
      (event) => event.nexusOperationStartedEventAttributes,
    );
    assert.equal(links?.[0]?.workflowEvent?.workflowId, slowId('you'));
  }));

test('an operation that fails says why', () =>
  withHandler(async () => {
    await assert.rejects(
      stage.execute(callsOperation, taskQueue, { args: [endpoint, 'refuse', 'you'] }),
      (error: unknown) => {
        assert(error instanceof WorkflowFailedError && error.cause instanceof NexusOperationFailure);
        return error.cause.cause?.message === 'not today';
      },
    );
  }));

test('an operation is cancelled with the workflow behind it', () =>
  withHandler(async () => {
    assert.equal(await stage.execute(cancelsOperation, taskQueue, { args: [endpoint] }), 'canceled');
    const { status } = await stage.client.workflow.getHandle(slowId('nobody')).describe();
    assert.equal(status.name, 'CANCELLED');
  }));
