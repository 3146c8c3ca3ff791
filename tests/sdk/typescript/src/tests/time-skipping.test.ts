import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { BUNDLE } from '../paths';
import { unique } from '../stage';
import { countdown, runActivity, sleeps, wake, wokenOrTired } from '../workflows';

const DAY = 24 * 60 * 60 * 1000;
let environment: TestWorkflowEnvironment;

before(async () => {
  const path = process.env.STEADFAST_BINARY;
  assert(path, 'STEADFAST_BINARY must name the server to start');
  environment = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
});
after(() => environment?.teardown());

async function withWorker<T>(body: (taskQueue: string) => Promise<T>, activities: object = {}): Promise<T> {
  const taskQueue = unique('queue');
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    workflowBundle: { codePath: BUNDLE },
    activities,
  });
  return await worker.runUntil(() => body(taskQueue));
}

test('a workflow sleeps for a year while its test waits for it', () =>
  withWorker(async (taskQueue) => {
    const slept = await environment.client.workflow.execute(sleeps, {
      workflowId: unique('sleeps'),
      taskQueue,
      args: [365 * DAY],
    });
    assert(slept >= 365 * DAY);
  }));

test('time stands still until the test sleeps', () =>
  withWorker(async (taskQueue) => {
    const options = { workflowId: unique('woken'), taskQueue, args: [DAY] as [number] };
    const woken = await environment.client.workflow.start(wokenOrTired, options);
    const before = await environment.currentTimeMs();
    await environment.sleep(DAY / 2);
    assert((await environment.currentTimeMs()) - before >= DAY / 2);
    await woken.signal(wake);
    assert.equal(await woken.result(), 'woken');
    const tired = await environment.client.workflow.start(wokenOrTired, { ...options, workflowId: unique('tired') });
    assert.equal(await tired.result(), 'tired');
  }));

test('time waits for an activity, and skips the wait for its next attempt', () => {
  let attempts = 0;
  const flaky = async () => {
    attempts += 1;
    if (attempts < 3) throw new Error('not yet');
    return 'now';
  };
  return withWorker(
    async (taskQueue) => {
      const result = await environment.client.workflow.execute(runActivity, {
        workflowId: unique('flaky'),
        taskQueue,
        args: ['flaky', { retry: { initialInterval: DAY, backoffCoefficient: 1 } }],
      });
      assert.equal(result, 'now');
    },
    { flaky },
  );
});

test('an activity that sleeps by the test\'s clock lets time go on', () => {
  const napping = async (milliseconds: number) => {
    await environment.sleep(milliseconds);
    return 'rested';
  };
  return withWorker(
    async (taskQueue) => {
      const result = await environment.client.workflow.execute(runActivity, {
        workflowId: unique('napping'),
        taskQueue,
        args: ['napping', { startToCloseTimeout: 2 * DAY }, [DAY]],
      });
      assert.equal(result, 'rested');
    },
    { napping },
  );
});

test('a chain of runs is followed', () =>
  withWorker(async (taskQueue) => {
    const options = { workflowId: unique('countdown'), taskQueue, args: [2] as [number] };
    assert.equal((await environment.client.workflow.execute(countdown, options)).runs, 3);
  }));
