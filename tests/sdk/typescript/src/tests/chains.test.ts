import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowContinuedAsNewError, WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { Stage, unique, until } from '../stage';
import { carries, close, countdown, counter, fails, failsUntil, push, returnsAtOnce, sleeps, turn } from '../workflows';

const stage = Stage.forThisFile();

test('continue as new: the client follows, and the memo goes along', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(countdown, taskQueue, { args: [2], memo: { kept: true } });
    assert.deepEqual(await handle.result(), { runs: 3, continuedFrom: true, memo: { kept: true } });
    const first = stage.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId, { followRuns: false });
    await assert.rejects(first.result(), WorkflowContinuedAsNewError);
    assert.equal((await first.describe()).status.name, 'CONTINUED_AS_NEW');
  }));

test('continue as new: no signal is lost between the runs', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(carries, taskQueue);
    const latest = stage.client.workflow.getHandle(handle.workflowId);
    const sent: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let item = 0; item < 3; item += 1) {
        sent.push(`${round}.${item}`);
        await latest.signal(push, `${round}.${item}`);
        if (item === 1) await latest.signal(turn);
      }
    }
    await latest.signal(close);
    assert.deepEqual(await handle.result(), sent);
  }));

test('a workflow that fails is run again by its retry policy', () =>
  stage.withWorker({}, async (taskQueue) => {
    const retry = { initialInterval: 1, maximumInterval: 1, maximumAttempts: 5 };
    assert.equal(await stage.execute(failsUntil, taskQueue, { args: [3], retry }), 3);
  }));

test('a failure arrives with its type, details and cause', () =>
  stage.withWorker({}, async (taskQueue) => {
    await assert.rejects(stage.execute(fails, taskQueue), (error: unknown) => {
      assert(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure);
      assert.deepEqual([error.cause.type, error.cause.details], ['OutOfStock', ['shoes', 42]]);
      return error.cause.cause?.message === 'the shelf is empty';
    });
  }));

test('a run that takes too long is timed out', () =>
  stage.withWorker({}, async (taskQueue) => {
    const options = { args: [3_600_000] as [number], workflowRunTimeout: '1 second' as const };
    await assert.rejects(
      stage.execute(sleeps, taskQueue, options),
      (error: unknown) => error instanceof WorkflowFailedError && error.cause instanceof TimeoutFailure,
    );
  }));

test('cron runs a workflow again and again', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(returnsAtOnce, taskQueue, { cronSchedule: '@every 1s' });
    await until(async () => (await handle.describe()).runId !== handle.firstExecutionRunId);
    await stage.client.workflow.getHandle(handle.workflowId).terminate();
  }));

test('an id that is in use is refused, or used, or taken over', async () => {
  const [taskQueue, workflowId] = [unique('queue'), unique('counter')];
  const first = await stage.start(counter, taskQueue, { workflowId });
  await assert.rejects(stage.start(counter, taskQueue, { workflowId }), WorkflowExecutionAlreadyStartedError);
  const same = await stage.start(counter, taskQueue, { workflowId, workflowIdConflictPolicy: 'USE_EXISTING' });
  assert.equal(same.firstExecutionRunId, first.firstExecutionRunId);
  const next = await stage.start(counter, taskQueue, { workflowId, workflowIdConflictPolicy: 'TERMINATE_EXISTING' });
  assert.notEqual(next.firstExecutionRunId, first.firstExecutionRunId);
  const old = stage.client.workflow.getHandle(workflowId, first.firstExecutionRunId);
  assert.equal((await old.describe()).status.name, 'TERMINATED');
});
