import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { Stage, unique } from '../stage';
import { cancelsAnother, cancelsOneScope, cleansUp, counter, givesUp, ignoresCancellation } from '../workflows';

const stage = Stage.forThisFile();

test('a workflow that is cancelled cleans up first', async () => {
  const cleaned: string[] = [];
  const clean = async (what: string) => void cleaned.push(what);
  await stage.withWorker({ activities: { clean } }, async (taskQueue) => {
    const handle = await stage.start(cleansUp, taskQueue);
    await handle.cancel();
    await assert.rejects(
      handle.result(),
      (error: unknown) => error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure,
    );
    assert.deepEqual(cleaned, ['room']);
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
  });
});

test('a workflow may go on all the same', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(ignoresCancellation, taskQueue);
    await handle.cancel();
    assert.equal(await handle.result(), 'went on');
  }));

test('one scope is cancelled, its sibling is not', () =>
  stage.withWorker({}, async (taskQueue) => {
    assert.deepEqual(await stage.execute(cancelsOneScope, taskQueue), ['canceled', 'kept']);
  }));

test('a scope with a timeout gives up', () =>
  stage.withWorker({}, async (taskQueue) => {
    assert.equal(await stage.execute(givesUp, taskQueue), 'gave up');
  }));

test('a workflow cancels another', () =>
  stage.withWorker({}, async (taskQueue) => {
    const other = await stage.start(ignoresCancellation, taskQueue);
    await stage.execute(cancelsAnother, taskQueue, { args: [other.workflowId] });
    assert.equal(await other.result(), 'went on');
  }));

test('termination needs no worker', async () => {
  const handle = await stage.start(counter, unique('queue'));
  await handle.terminate('enough');
  await assert.rejects(handle.result(), (error: unknown) => {
    assert(error instanceof WorkflowFailedError && error.cause instanceof TerminatedFailure);
    return error.cause.message === 'enough';
  });
});
