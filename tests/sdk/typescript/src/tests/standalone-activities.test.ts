import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityInfo, cancelled, heartbeat } from '@temporalio/activity';
import { ActivityExecutionAlreadyStartedError, ActivityExecutionFailedError } from '@temporalio/client';
import { Stage, unique, until } from '../stage';

const stage = Stage.forThisFile();

const activities = {
  greet: async (name: string) => `hello ${name}`,
  flaky: async () => {
    const { attempt } = activityInfo();
    if (attempt < 3) throw new Error(`attempt ${attempt}`);
    return attempt;
  },
  fails: async () => {
    throw new Error('no');
  },
  waits: async () => {
    const beating = setInterval(() => heartbeat('still there'), 20);
    await cancelled().finally(() => clearInterval(beating));
  },
};

function job(taskQueue: string) {
  return { id: unique('job'), taskQueue, startToCloseTimeout: '1 minute' as const };
}

test('a job runs without a workflow and returns its result, again and again', () =>
  stage.withWorker({ activities }, async (taskQueue) => {
    const handle = await stage.client.activity.start('greet', { ...job(taskQueue), args: ['you'] });
    assert.equal(await handle.result(), 'hello you');
    assert.equal(await stage.client.activity.getHandle(handle.activityId).result(), 'hello you');
    const description = await handle.describe({ includeInput: true, includeOutcome: true });
    assert.equal(description.status, 'COMPLETED');
    assert.deepEqual(await description.getInput(), ['you']);
    assert.equal(await description.getResult(), 'hello you');
  }));

test('a job is tried again, or fails for good', () =>
  stage.withWorker({ activities }, async (taskQueue) => {
    const retry = { initialInterval: 1, maximumInterval: 1 };
    assert.equal(await stage.client.activity.execute('flaky', { ...job(taskQueue), retry }), 3);
    await assert.rejects(
      stage.client.activity.execute('fails', { ...job(taskQueue), retry: { maximumAttempts: 1 } }),
      (error: unknown) => error instanceof ActivityExecutionFailedError && error.cause?.message === 'no',
    );
  }));

test('a job is cancelled and another terminated', () =>
  stage.withWorker({ activities, maxHeartbeatThrottleInterval: 20 }, async (taskQueue) => {
    const start = () => stage.client.activity.start('waits', { ...job(taskQueue), heartbeatTimeout: '30 seconds' });
    const [one, other] = [await start(), await start()];
    await until(async () => (await one.describe()).runState === 'STARTED');
    await one.cancel('enough');
    await assert.rejects(one.result(), ActivityExecutionFailedError);
    assert.equal((await one.describe()).status, 'CANCELED');
    await other.terminate('enough');
    await assert.rejects(other.result(), ActivityExecutionFailedError);
    assert.equal((await other.describe()).status, 'TERMINATED');
  }));

test('a running job keeps its id to itself', async () => {
  const options = job(unique('queue'));
  const first = await stage.client.activity.start('greet', { ...options, args: ['you'] });
  await assert.rejects(stage.client.activity.start('greet', options), ActivityExecutionAlreadyStartedError);
  const same = await stage.client.activity.start('greet', { ...options, idConflictPolicy: 'USE_EXISTING' });
  assert.equal(same.runId, first.runId);
});

test('jobs are listed and counted', async () => {
  const taskQueue = unique('queue');
  const handles = [1, 2].map(() => stage.client.activity.start('greet', job(taskQueue)));
  const expected = (await Promise.all(handles)).map(({ activityId }) => activityId).sort();
  const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`;
  await until(async () => (await stage.client.activity.count(query)).count === 2);
  const found: string[] = [];
  for await (const { activityId } of stage.client.activity.list(query)) found.push(activityId);
  assert.deepEqual(found.sort(), expected);
});
