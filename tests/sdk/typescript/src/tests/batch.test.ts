import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { NAMESPACE, Stage, unique, until } from '../stage';
import { counter, finish, total } from '../workflows';

const stage = Stage.forThisFile();
const { BatchOperationState } = temporal.api.enums.v1;

/** Does something to all workflows of a task queue, and waits until it is done. */
async function batch(taskQueue: string, operation: temporal.api.workflowservice.v1.IStartBatchOperationRequest) {
  const jobId = unique('batch');
  await stage.api.startBatchOperation({
    namespace: NAMESPACE,
    jobId,
    visibilityQuery: `TaskQueue = '${taskQueue}'`,
    reason: 'a test',
    ...operation,
  });
  return await until(async () => {
    const description = await stage.api.describeBatchOperation({ namespace: NAMESPACE, jobId });
    return description.state === BatchOperationState.BATCH_OPERATION_STATE_COMPLETED && description;
  });
}

async function threeCounters(taskQueue: string) {
  const handles = await Promise.all([1, 2, 3].map(() => stage.start(counter, taskQueue)));
  await until(async () => (await stage.client.workflow.count(`TaskQueue = '${taskQueue}'`)).count === 3);
  return handles;
}

test('a batch of signals reaches every workflow', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handles = await threeCounters(taskQueue);
    const input = { payloads: [defaultPayloadConverter.toPayload(4)!] };
    const done = await batch(taskQueue, { signalOperation: { signal: 'add', input } });
    assert.equal(done.completeOperationCount?.toNumber(), 3);
    for (const handle of handles) assert.equal(await handle.query(total), 4);
    await batch(taskQueue, { signalOperation: { signal: finish.name } });
    assert.deepEqual(await Promise.all(handles.map((handle) => handle.result())), [4, 4, 4]);
  }));

test('a batch of terminations ends every workflow', async () => {
  const taskQueue = unique('queue');
  const handles = await threeCounters(taskQueue);
  await batch(taskQueue, { terminationOperation: {} });
  const statuses = await Promise.all(handles.map(async (handle) => (await handle.describe()).status.name));
  assert.deepEqual(statuses, ['TERMINATED', 'TERMINATED', 'TERMINATED']);
});

test('a batch of deletions leaves nothing', async () => {
  const taskQueue = unique('queue');
  await threeCounters(taskQueue);
  await batch(taskQueue, { deletionOperation: {} });
  await until(async () => (await stage.client.workflow.count(`TaskQueue = '${taskQueue}'`)).count === 0);
});
