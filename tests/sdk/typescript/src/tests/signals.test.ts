import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowNotFoundError } from '@temporalio/client';
import { Stage, unique } from '../stage';
import { add, collector, counter, finish, note, tellAnother } from '../workflows';

const stage = Stage.forThisFile();

test('signals come in the order in which they were sent, also those from before the first worker', async () => {
  const taskQueue = unique('queue');
  const handle = await stage.start(collector, taskQueue, { args: [6] });
  for (const text of ['a', 'b', 'c']) await handle.signal(note, text);
  await stage.withWorker({ taskQueue }, async () => {
    for (const text of ['d', 'e', 'f']) await handle.signal(note, text);
    assert.deepEqual(await handle.result(), ['a', 'b', 'c', 'd', 'e', 'f']);
  });
});

test('signal with start: the first starts the workflow, the second finds it', () =>
  stage.withWorker({}, async (taskQueue) => {
    const workflowId = unique('signal-with-start');
    const send = (text: string) =>
      stage.client.workflow.signalWithStart(collector, {
        workflowId,
        taskQueue,
        args: [2],
        signal: note,
        signalArgs: [text],
      });
    const first = await send('one');
    const second = await send('two');
    assert.equal(first.signaledRunId, second.signaledRunId);
    assert.deepEqual(await second.result(), ['one', 'two']);
  }));

test('a workflow signals another', () =>
  stage.withWorker({}, async (taskQueue) => {
    const target = await stage.start(counter, taskQueue);
    assert.equal(await stage.execute(tellAnother, taskQueue, { args: [target.workflowId, 6] }), 'delivered');
    await target.signal(finish);
    assert.equal(await target.result(), 6);
  }));

test('a workflow that signals nobody is told', () =>
  stage.withWorker({}, async (taskQueue) => {
    const outcome = await stage.execute(tellAnother, taskQueue, { args: [unique('nobody'), 1] });
    assert.notEqual(outcome, 'delivered');
  }));

test('a closed workflow takes no signals', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await handle.signal(finish);
    await handle.result();
    await assert.rejects(handle.signal(add, 1), WorkflowNotFoundError);
  }));
