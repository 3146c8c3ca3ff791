import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityInfo, cancelled, CompleteAsyncError, heartbeat } from '@temporalio/activity';
import { ActivityNotFoundError, WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { Gate, Stage, until } from '../stage';
import { activityRuns, cancelActivity, runActivity } from '../workflows';

const stage = Stage.forThisFile();
const fast = { initialInterval: 1, maximumInterval: 1 };

test('an activity is tried again until it succeeds', async () => {
  const flaky = async () => {
    const { attempt } = activityInfo();
    if (attempt < 3) throw new Error(`attempt ${attempt}`);
    return attempt;
  };
  await stage.withWorker({ activities: { flaky } }, async (taskQueue) => {
    assert.equal(await stage.execute(runActivity, taskQueue, { args: ['flaky', { retry: fast }] }), 3);
  });
});

test('a failure that is not to be tried again is not, and keeps its details', async () => {
  let attempts = 0;
  const fails = async () => {
    attempts += 1;
    throw ApplicationFailure.create({ message: 'broken', type: 'Broken', details: [{ part: 'wheel' }] });
  };
  await stage.withWorker({ activities: { fails } }, async (taskQueue) => {
    const retry = { ...fast, nonRetryableErrorTypes: ['Broken'] };
    await assert.rejects(stage.execute(runActivity, taskQueue, { args: ['fails', { retry }] }), (error: unknown) => {
      assert(error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure);
      assert(error.cause.cause instanceof ApplicationFailure);
      assert.deepEqual([error.cause.cause.type, error.cause.cause.details], ['Broken', [{ part: 'wheel' }]]);
      assert.equal(error.cause.retryState, 'NON_RETRYABLE_FAILURE');
      return true;
    });
  });
  assert.equal(attempts, 1);
});

test('an attempt that takes too long is ended, and the next one sees what the last heartbeat told', async () => {
  const slowAtFirst = async () => {
    const { attempt, heartbeatDetails } = activityInfo();
    if (attempt > 1) return heartbeatDetails;
    heartbeat('half way');
    await cancelled().catch(() => undefined);
    return 'too late';
  };
  await stage.withWorker({ activities: { slowAtFirst } }, async (taskQueue) => {
    const options = { heartbeatTimeout: 500, retry: fast };
    const result = await stage.execute(runActivity, taskQueue, { args: ['slowAtFirst', options] });
    assert.equal(result, 'half way');
  });
});

test('nobody to take an activity is a timeout', () =>
  stage.withWorker({}, async (taskQueue) => {
    const options = { scheduleToStartTimeout: 1, taskQueue: `${taskQueue}-nobody` };
    await assert.rejects(stage.execute(runActivity, taskQueue, { args: ['x', options] }), (error: unknown) => {
      assert(error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure);
      assert(error.cause.cause instanceof TimeoutFailure);
      return error.cause.cause.timeoutType === 'SCHEDULE_TO_START';
    });
  }));

test('an activity learns by its heartbeat that it is cancelled', async () => {
  const waits = async (workflowId: string) => {
    heartbeat();
    await stage.client.workflow.getHandle(workflowId).signal(activityRuns);
    const beating = setInterval(() => heartbeat(), 20);
    await cancelled().finally(() => clearInterval(beating));
  };
  await stage.withWorker({ activities: { waits }, maxHeartbeatThrottleInterval: 20 }, async (taskQueue) => {
    assert.equal(await stage.execute(cancelActivity, taskQueue, { args: ['waits'] }), 'canceled');
  });
});

test('an activity that is cancelled may complete all the same', async () => {
  const waits = async (workflowId: string) => {
    heartbeat();
    await stage.client.workflow.getHandle(workflowId).signal(activityRuns);
    const beating = setInterval(() => heartbeat(), 20);
    await cancelled().catch(() => clearInterval(beating));
    return 'the work';
  };
  await stage.withWorker({ activities: { waits }, maxHeartbeatThrottleInterval: 20 }, async (taskQueue) => {
    assert.equal(await stage.execute(cancelActivity, taskQueue, { args: ['waits'] }), 'completed with the work');
  });
});

test('an activity is completed from outside by its token', async () => {
  const token = new Gate<Uint8Array>();
  const later = async () => {
    token.open(activityInfo().taskToken);
    throw new CompleteAsyncError();
  };
  await stage.withWorker({ activities: { later } }, async (taskQueue) => {
    const handle = await stage.start(runActivity, taskQueue, { args: ['later'] });
    const client = stage.client.activity;
    await client.heartbeat(await token.opened, 'still there');
    await client.complete(await token.opened, 'from outside');
    assert.equal(await handle.result(), 'from outside');
    await assert.rejects(client.complete(await token.opened, 'again'), ActivityNotFoundError);
  });
});

test('an activity is failed from outside by its ids', async () => {
  const begun = new Gate<string>();
  const later = async () => {
    begun.open(activityInfo().activityId);
    throw new CompleteAsyncError();
  };
  await stage.withWorker({ activities: { later } }, async (taskQueue) => {
    const retry = { maximumAttempts: 1 };
    const handle = await stage.start(runActivity, taskQueue, { args: ['later', { retry }] });
    const full = { workflowId: handle.workflowId, activityId: await begun.opened };
    await stage.client.activity.fail(full, new Error('given up'));
    await assert.rejects(handle.result(), (error: unknown) => {
      assert(error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure);
      return error.cause.cause?.message === 'given up';
    });
  });
});

test('what waits for its next attempt is described', async () => {
  const fails = async () => {
    throw new Error('not today');
  };
  await stage.withWorker({ activities: { fails } }, async (taskQueue) => {
    const retry = { initialInterval: '1 hour' };
    const handle = await stage.start(runActivity, taskQueue, { args: ['fails', { retry }] });
    const pending = await until(async () => {
      const [found] = (await handle.describe()).raw.pendingActivities ?? [];
      return found?.lastFailure && found;
    });
    assert.deepEqual([pending.lastFailure?.message, pending.attempt], ['not today', 2]);
  });
});
