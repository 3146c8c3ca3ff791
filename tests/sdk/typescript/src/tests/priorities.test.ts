import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityInfo } from '@temporalio/activity';
import { NAMESPACE, Stage, unique } from '../stage';
import { counter, tellsPriority } from '../workflows';

const stage = Stage.forThisFile();

test('activities inherit the priority of their workflow, or have their own', async () => {
  const priorityHere = async () => activityInfo().priority?.priorityKey;
  await stage.withWorker({ activities: { priorityHere } }, async (taskQueue) => {
    const handle = await stage.start(tellsPriority, taskQueue, { priority: { priorityKey: 4 } });
    assert.deepEqual(await handle.result(), [4, 4, 1]);
    assert.equal((await handle.describe()).priority?.priorityKey, 4);
  });
});

test('what waits is handed out by priority', async () => {
  const taskQueue = unique('queue');
  for (const priorityKey of [3, 5, 1, 4, 2]) {
    await stage.start(counter, taskQueue, { workflowId: unique(`priority-${priorityKey}`), priority: { priorityKey } });
  }
  const order: string[] = [];
  for (let count = 0; count < 5; count += 1) {
    const poll = { namespace: NAMESPACE, taskQueue: { name: taskQueue }, identity: 'a test' };
    const deadline = Date.now() + 30_000;
    const task = await stage.client.withDeadline(deadline, () => stage.api.pollWorkflowTaskQueue(poll));
    order.push(task.workflowExecution!.workflowId!.split('-')[1]!);
  }
  assert.deepEqual(order, ['1', '2', '3', '4', '5']);
});
