import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, QueryNotRegisteredError, QueryRejectedError, WorkflowNotFoundError } from '@temporalio/client';
import { NAMESPACE, Stage, unique } from '../stage';
import { add, counter, finish, scaled, total } from '../workflows';

const stage = Stage.forThisFile();

test('a query sees what was signaled before it', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue, { args: [1] });
    await handle.signal(add, 4);
    assert.equal(await handle.query(total), 5);
    assert.equal(await handle.query(scaled, 3), 15);
  }));

test('a query leaves nothing in history', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await handle.query(total);
    const before = await stage.eventNames(handle.workflowId);
    await handle.query(total);
    assert.deepEqual(await stage.eventNames(handle.workflowId), before);
  }));

test('a query that the workflow does not know is refused with the names that it knows', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    await assert.rejects(handle.query('price'), (error: unknown) => {
      assert(error instanceof QueryNotRegisteredError);
      return error.message.includes('total');
    });
  }));

test('a closed workflow answers, unless the client wants none of that', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue, { args: [9] });
    await handle.signal(finish);
    await handle.result();
    assert.equal(await handle.query(total), 9);
    const picky = new Client({
      connection: stage.client.connection,
      namespace: NAMESPACE,
      workflow: { queryRejectCondition: 'NOT_OPEN' },
    });
    await assert.rejects(picky.workflow.getHandle(handle.workflowId).query(total), QueryRejectedError);
  }));

test('a query of nobody finds nobody', async () => {
  await assert.rejects(stage.client.workflow.getHandle(unique('nobody')).query(total), WorkflowNotFoundError);
});
