import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage, unique, until } from '../stage';
import { cancelsChild, leavesChild, parentOfFailing, parentOfTwo, release, startsChildAs, waits } from '../workflows';

const stage = Stage.forThisFile();

test('a parent signals its children and has their results', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(parentOfTwo, taskQueue);
    assert.deepEqual(await handle.result(), ['word 0', 'word 1']);
  }));

test('a child knows its parent and its root', () =>
  stage.withWorker({}, async (taskQueue) => {
    const childId = unique('child');
    const parent = await stage.start(startsChildAs, taskQueue, { args: [childId] });
    assert.equal(await parent.result(), 'started');
    const description = await stage.client.workflow.getHandle(childId).describe();
    assert.equal(description.parentExecution?.workflowId, parent.workflowId);
    assert.equal(description.rootExecution?.workflowId, parent.workflowId);
  }));

test('the failure of a child reaches its parent', () =>
  stage.withWorker({}, async (taskQueue) => {
    assert.equal(await stage.execute(parentOfFailing, taskQueue), 'the child fell');
  }));

test('a child of its own mind outlives its parent', () =>
  stage.withWorker({}, async (taskQueue) => {
    const childId = unique('child');
    await stage.execute(leavesChild, taskQueue, { args: [childId, 'ABANDON'] });
    const child = stage.client.workflow.getHandle(childId);
    await child.signal(release, 'free');
    assert.equal(await child.result(), 'free');
  }));

test('a child ends with its parent, as the parent wants it', () =>
  stage.withWorker({}, async (taskQueue) => {
    for (const [policy, status] of [['TERMINATE', 'TERMINATED'], ['REQUEST_CANCEL', 'CANCELLED']] as const) {
      const childId = unique('child');
      await stage.execute(leavesChild, taskQueue, { args: [childId, policy] });
      const child = stage.client.workflow.getHandle(childId);
      await until(async () => (await child.describe()).status.name === status);
    }
  }));

test('a child whose id is taken is not started', () =>
  stage.withWorker({}, async (taskQueue) => {
    const other = await stage.start(waits, taskQueue);
    const outcome = await stage.execute(startsChildAs, taskQueue, { args: [other.workflowId] });
    assert.equal(outcome, 'WorkflowExecutionAlreadyStartedError');
  }));

test('a child is cancelled by its parent', () =>
  stage.withWorker({}, async (taskQueue) => {
    const childId = unique('child');
    assert.equal(await stage.execute(cancelsChild, taskQueue, { args: [childId] }), 'canceled');
    assert.equal((await stage.client.workflow.getHandle(childId).describe()).status.name, 'CANCELLED');
  }));
