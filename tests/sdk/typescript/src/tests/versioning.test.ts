import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VersioningBehavior } from '@temporalio/common';
import { NAMESPACE, Stage, unique, until } from '../stage';
import { counter, finish, goOn, steps, stepsDone } from '../workflows';

const stage = Stage.forThisFile();

/** Runs `body` with a worker of each of two versions, whose activities tell which one they are. */
async function withTwoVersions(
  behavior: VersioningBehavior,
  body: (taskQueue: string, deploymentName: string) => Promise<void>,
): Promise<void> {
  const [taskQueue, deploymentName] = [unique('queue'), unique('deployment')];
  const options = (buildId: string) => ({
    taskQueue,
    activities: { step: async (index: number) => `${buildId} did ${index}` },
    workerDeploymentOptions: {
      useWorkerVersioning: true as const,
      version: { deploymentName, buildId },
      defaultVersioningBehavior: behavior,
    },
  });
  await stage.withWorker(options('1'), () =>
    stage.withWorker(options('2'), () => body(taskQueue, deploymentName)),
  );
}

/** Makes a version the current one, as soon as the server knows it. */
async function setCurrent(deploymentName: string, buildId: string): Promise<void> {
  await until(async () => {
    try {
      await stage.api.setWorkerDeploymentCurrentVersion({ namespace: NAMESPACE, deploymentName, buildId });
      return true;
    } catch (error) {
      // Not known yet: its workers have only just begun to poll.
      if ([5, 9].includes((error as { code: number }).code)) return false;
      throw error;
    }
  });
}

async function firstStep(taskQueue: string) {
  const handle = await stage.start(steps, taskQueue, { args: [2] });
  await handle.signal(goOn);
  await until(async () => (await handle.query(stepsDone)) === 1);
  return handle;
}

test('a pinned workflow ends on the version that it began on', () =>
  withTwoVersions('PINNED', async (taskQueue, deploymentName) => {
    await setCurrent(deploymentName, '1');
    const handle = await firstStep(taskQueue);
    await setCurrent(deploymentName, '2');
    await handle.signal(goOn);
    assert.deepEqual(await handle.result(), ['1 did 0', '1 did 1']);
    const { raw } = await handle.describe();
    assert.equal(raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId, '1');
  }));

test('a workflow that upgrades by itself goes on with the new version', () =>
  withTwoVersions('AUTO_UPGRADE', async (taskQueue, deploymentName) => {
    await setCurrent(deploymentName, '1');
    const handle = await firstStep(taskQueue);
    await setCurrent(deploymentName, '2');
    await handle.signal(goOn);
    assert.deepEqual(await handle.result(), ['1 did 0', '2 did 1']);
  }));

test('a workflow is started on a version that is not the current one', () =>
  withTwoVersions('PINNED', async (taskQueue, deploymentName) => {
    await setCurrent(deploymentName, '1');
    await until(async () => {
      const { workerDeploymentInfo } = await stage.api.describeWorkerDeployment({ namespace: NAMESPACE, deploymentName });
      return workerDeploymentInfo?.versionSummaries?.length === 2;
    });
    const handle = await stage.start(steps, taskQueue, {
      args: [1],
      versioningOverride: { pinnedTo: { deploymentName, buildId: '2' } },
    });
    await handle.signal(goOn);
    assert.deepEqual(await handle.result(), ['2 did 0']);
  }));

test('a deployment tells its versions', () =>
  withTwoVersions('PINNED', async (taskQueue, deploymentName) => {
    await setCurrent(deploymentName, '2');
    const handle = await stage.start(counter, taskQueue);
    await handle.signal(finish);
    await handle.result();
    const { workerDeploymentInfo: info } = await until(async () => {
      const description = await stage.api.describeWorkerDeployment({ namespace: NAMESPACE, deploymentName });
      return description.workerDeploymentInfo?.versionSummaries?.length === 2 && description;
    });
    assert.equal(info?.routingConfig?.currentDeploymentVersion?.buildId, '2');
    const builds = info?.versionSummaries?.map(({ deploymentVersion }) => deploymentVersion?.buildId);
    assert.deepEqual(builds?.sort(), ['1', '2']);
  }));
