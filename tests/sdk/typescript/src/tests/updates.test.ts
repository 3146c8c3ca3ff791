import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WithStartWorkflowOperation, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { Stage, unique } from '../stage';
import { add, addAndTell, counter, finish, refuse, total, waitForTotal } from '../workflows';

const stage = Stage.forThisFile();

test('an update changes the workflow and returns a value', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    assert.equal(await handle.executeUpdate(addAndTell, { args: [2] }), 2);
    assert.equal(await handle.executeUpdate(addAndTell, { args: [3] }), 5);
    assert.equal(await handle.query(total), 5);
    await handle.signal(finish);
    assert.equal(await handle.result(), 5);
  }));

test('what the validator refuses leaves no trace', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await assert.rejects(handle.executeUpdate(addAndTell, { args: [-1] }), (error: unknown) => {
      assert(error instanceof WorkflowUpdateFailedError);
      return error.cause?.message === 'only upward';
    });
    const names = await stage.eventNames(handle.workflowId);
    assert(!names.some((name) => name.includes('Update')), names.join());
    assert.equal(await handle.query(total), 0);
  }));

test('an update that fails says why, and the workflow goes on', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await assert.rejects(handle.executeUpdate(refuse), (error: unknown) => {
      assert(error instanceof WorkflowUpdateFailedError);
      return error.cause?.message === 'no';
    });
    assert.equal(await handle.executeUpdate(addAndTell, { args: [1] }), 1);
  }));

test('an accepted update is waited for later, also through another handle', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    const update = await handle.startUpdate(waitForTotal, { args: [3], waitForStage: 'ACCEPTED' });
    const names = await stage.eventNames(handle.workflowId);
    assert(names.includes('WorkflowExecutionUpdateAccepted') && !names.includes('WorkflowExecutionUpdateCompleted'));
    await handle.signal(add, 3);
    assert.equal(await update.result(), 3);
    assert.equal(await handle.getUpdateHandle(update.updateId).result(), 3);
  }));

test('an update that comes twice is done once', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    const updateId = unique('update');
    assert.equal(await handle.executeUpdate(addAndTell, { args: [7], updateId }), 7);
    assert.equal(await handle.executeUpdate(addAndTell, { args: [7], updateId }), 7);
    assert.equal(await handle.query(total), 7);
  }));

test('updates at the same time are all done, in one order', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    const updates = Array.from({ length: 5 }, () => handle.executeUpdate(addAndTell, { args: [1] }));
    assert.deepEqual((await Promise.all(updates)).sort(), [1, 2, 3, 4, 5]);
  }));

test('update with start: one call starts the workflow, the next finds it', () =>
  stage.withWorker({}, async (taskQueue) => {
    const workflowId = unique('update-with-start');
    const operation = () =>
      new WithStartWorkflowOperation(counter, {
        workflowId,
        taskQueue,
        args: [10],
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
    const [first, second] = [operation(), operation()];
    const { workflow } = stage.client;
    assert.equal(await workflow.executeUpdateWithStart(addAndTell, { args: [1], startWorkflowOperation: first }), 11);
    assert.equal(await workflow.executeUpdateWithStart(addAndTell, { args: [1], startWorkflowOperation: second }), 12);
    const runs = await Promise.all([first, second].map(async (each) => (await (await each.workflowHandle()).describe()).runId));
    assert.equal(runs[0], runs[1]);
  }));

test('a closed workflow takes no updates', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await handle.signal(finish);
    await handle.result();
    await assert.rejects(handle.executeUpdate(addAndTell, { args: [1] }), WorkflowNotFoundError);
  }));
