import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporal } from '@temporalio/proto';
import { NAMESPACE, Stage, unique, until } from '../stage';
import { add, counter, finish, goOn, steps, stepsDone, total } from '../workflows';

const stage = Stage.forThisFile();
const { ResetReapplyExcludeType } = temporal.api.enums.v1;

type Excluded = temporal.api.enums.v1.ResetReapplyExcludeType;

async function reset(workflowId: string, point: Long | number, excluded: Excluded[] = []) {
  const { runId } = await stage.api.resetWorkflowExecution({
    namespace: NAMESPACE,
    workflowExecution: { workflowId },
    workflowTaskFinishEventId: point as Long,
    reason: 'a test',
    requestId: unique('reset'),
    resetReapplyExcludeTypes: excluded,
  });
  return stage.client.workflow.getHandle(workflowId, runId);
}
type Long = NonNullable<temporal.api.history.v1.IHistoryEvent['eventId']>;

/** The end of a run's first workflow task. */
async function firstTaskEnd(workflowId: string): Promise<Long> {
  const events = await stage.events(workflowId);
  return events.find((event) => event.workflowTaskCompletedEventAttributes)!.eventId!;
}

test('a reset runs again what came after its point, and nothing from before it', async () => {
  const ran: number[] = [];
  const step = async (index: number) => {
    ran.push(index);
    return `${index}, run ${ran.filter((each) => each === index).length}`;
  };
  await stage.withWorker({ activities: { step } }, async (taskQueue) => {
    const handle = await stage.start(steps, taskQueue, { args: [2] });
    for (let count = 1; count <= 2; count += 1) {
      await handle.signal(goOn);
      if (count === 1) await until(async () => (await handle.query(stepsDone)) === count);
    }
    assert.deepEqual(await handle.result(), ['0, run 1', '1, run 1']);
    const scheduled = (await stage.events(handle.workflowId)).flatMap(
      (event) => event.activityTaskScheduledEventAttributes ?? [],
    );
    const newRun = await reset(handle.workflowId, scheduled[1]!.workflowTaskCompletedEventId!);
    assert.deepEqual(await newRun.result(), ['0, run 1', '1, run 2']);
  });
});

test('a reset ends the old run, and its signals come to the new one', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    assert.equal(await handle.query(total), 0);
    await handle.signal(add, 5);
    assert.equal(await handle.query(total), 5);
    const newRun = await reset(handle.workflowId, await firstTaskEnd(handle.workflowId));
    const old = await stage.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId).describe();
    assert.equal(old.status.name, 'TERMINATED');
    assert.equal(await newRun.query(total), 5);
    await newRun.signal(finish);
    assert.equal(await newRun.result(), 5);
  }));

test('a reset leaves signals out when it is told to', () =>
  stage.withWorker({}, async (taskQueue) => {
    const handle = await stage.start(counter, taskQueue);
    assert.equal(await handle.query(total), 0);
    await handle.signal(add, 5);
    assert.equal(await handle.query(total), 5);
    const excluded = [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL];
    const newRun = await reset(handle.workflowId, await firstTaskEnd(handle.workflowId), excluded);
    assert.equal(await newRun.query(total), 0);
  }));
