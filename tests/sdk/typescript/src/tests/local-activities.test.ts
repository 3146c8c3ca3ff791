import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityInfo } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { Stage } from '../stage';
import { runLocalActivity } from '../workflows';

const stage = Stage.forThisFile();

test('a local activity leaves a marker, and no activity task', async () => {
  const local = async (name: string) => `hello ${name}`;
  await stage.withWorker({ activities: { local } }, async (taskQueue) => {
    const handle = await stage.start(runLocalActivity, taskQueue, { args: ['local', {}, ['you']] });
    assert.equal(await handle.result(), 'hello you');
    const names = await stage.eventNames(handle.workflowId);
    assert(names.includes('MarkerRecorded') && !names.includes('ActivityTaskScheduled'), names.join());
  });
});

test('a local activity is tried again by its worker', async () => {
  const flaky = async () => {
    const { attempt } = activityInfo();
    if (attempt < 3) throw new Error(`attempt ${attempt}`);
    return attempt;
  };
  await stage.withWorker({ activities: { flaky } }, async (taskQueue) => {
    const retry = { initialInterval: 1, maximumInterval: 1 };
    assert.equal(await stage.execute(runLocalActivity, taskQueue, { args: ['flaky', { retry }] }), 3);
  });
});

test('a local activity that waits long for its next attempt waits on a timer of the server', async () => {
  const flaky = async () => {
    if (activityInfo().attempt < 2) throw new Error('not yet');
    return 'now';
  };
  await stage.withWorker({ activities: { flaky } }, async (taskQueue) => {
    const options = { retry: { initialInterval: 200 }, localRetryThreshold: 1 };
    const handle = await stage.start(runLocalActivity, taskQueue, { args: ['flaky', options] });
    assert.equal(await handle.result(), 'now');
    assert((await stage.eventNames(handle.workflowId)).includes('TimerFired'));
  });
});

test('a local activity that fails for good fails its workflow', async () => {
  const fails = async () => {
    throw new Error('no');
  };
  await stage.withWorker({ activities: { fails } }, async (taskQueue) => {
    const retry = { maximumAttempts: 1 };
    await assert.rejects(
      stage.execute(runLocalActivity, taskQueue, { args: ['fails', { retry }] }),
      (error: unknown) => error instanceof WorkflowFailedError && error.cause?.message === 'no',
    );
  });
});
