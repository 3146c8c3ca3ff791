import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScheduleAlreadyRunning, ScheduleNotFoundError } from '@temporalio/client';
import type { ScheduleOptions } from '@temporalio/client';
import { Stage, unique, until } from '../stage';
import { returnsAtOnce } from '../workflows';

const stage = Stage.forThisFile();

/** Creates a schedule that is never due by itself, and deletes it at the end. */
async function withSchedule(
  taskQueue: string,
  options: Partial<ScheduleOptions>,
  body: (scheduleId: string) => Promise<void>,
): Promise<void> {
  const scheduleId = unique('schedule');
  const handle = await stage.client.schedule.create({
    scheduleId,
    spec: { calendars: [{ year: 2099 }] },
    action: { type: 'startWorkflow', workflowType: returnsAtOnce, taskQueue, workflowId: unique('scheduled') },
    ...options,
  });
  try {
    await body(scheduleId);
  } finally {
    await handle.delete();
  }
}

test('a trigger starts the workflow, and the schedule remembers it', () =>
  stage.withWorker({}, (taskQueue) =>
    withSchedule(taskQueue, {}, async (scheduleId) => {
      const handle = stage.client.schedule.getHandle(scheduleId);
      await handle.trigger();
      const { action } = await until(async () => (await handle.describe()).info.recentActions[0]);
      const { workflowId, firstExecutionRunId } = action.workflow;
      assert.equal(await stage.client.workflow.getHandle(workflowId, firstExecutionRunId).result(), 'done');
      assert.equal((await handle.describe()).info.numActionsTaken, 1);
    }),
  ));

test('an interval starts workflows by itself', () =>
  stage.withWorker({}, (taskQueue) =>
    withSchedule(taskQueue, { spec: { intervals: [{ every: '1 second' }] } }, async (scheduleId) => {
      const handle = stage.client.schedule.getHandle(scheduleId);
      await until(async () => (await handle.describe()).info.numActionsTaken >= 2);
    }),
  ));

test('a backfill runs what was due in the past', () =>
  stage.withWorker({}, (taskQueue) =>
    withSchedule(
      taskQueue,
      { spec: { calendars: [{ hour: 12 }] }, state: { paused: true } },
      async (scheduleId) => {
        const handle = stage.client.schedule.getHandle(scheduleId);
        const [start, end] = [new Date('2020-01-01T00:00:00Z'), new Date('2020-01-03T23:59:59Z')];
        await handle.backfill({ start, end, overlap: 'ALLOW_ALL' });
        const { info } = await until(async () => {
          const description = await handle.describe();
          return description.info.numActionsTaken === 3 && description;
        });
        assert.deepEqual(
          info.recentActions.map(({ scheduledAt }) => scheduledAt.toISOString()).sort(),
          ['2020-01-01T12:00:00.000Z', '2020-01-02T12:00:00.000Z', '2020-01-03T12:00:00.000Z'],
        );
      },
    ),
  ));

test('pause, unpause and update are seen', () =>
  withSchedule(unique('queue'), { memo: { owner: 'tests' } }, async (scheduleId) => {
    const handle = stage.client.schedule.getHandle(scheduleId);
    await handle.pause('for a while');
    const { state, memo } = await handle.describe();
    assert.deepEqual([state.paused, state.note, memo], [true, 'for a while', { owner: 'tests' }]);
    await handle.unpause('enough');
    await handle.update((previous) => ({
      ...previous,
      spec: { calendars: [{ year: 2098, month: 'JUNE' }] },
      policies: { ...previous.policies, overlap: 'BUFFER_ALL' },
    }));
    const updated = await handle.describe();
    assert.deepEqual([updated.state.paused, updated.policies.overlap], [false, 'BUFFER_ALL']);
    assert.equal(updated.spec.calendars![0]!.year[0]!.start, 2098);
    assert.equal(updated.info.nextActionTimes[0]!.toISOString(), '2098-06-01T00:00:00.000Z');
  }));

test('schedules are listed, are unique, and are gone when deleted', async () => {
  let known = '';
  await withSchedule(unique('queue'), {}, async (scheduleId) => {
    known = scheduleId;
    await assert.rejects(withSchedule('queue', { scheduleId }, async () => undefined), ScheduleAlreadyRunning);
    await until(async () => {
      for await (const schedule of stage.client.schedule.list()) {
        if (schedule.scheduleId === scheduleId) return schedule;
      }
      return undefined;
    });
  });
  await assert.rejects(stage.client.schedule.getHandle(known).describe(), ScheduleNotFoundError);
});
