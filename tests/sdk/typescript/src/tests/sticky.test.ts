import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage, unique } from '../stage';
import { add, counter, finish, goOn, steps, total } from '../workflows';

const stage = Stage.forThisFile();

test('workflows that a full cache drops are replayed', () =>
  stage.withWorker({ maxCachedWorkflows: 1 }, async (taskQueue) => {
    const handles = await Promise.all([0, 100, 200].map((start) => stage.start(counter, taskQueue, { args: [start] })));
    for (let round = 1; round <= 3; round += 1) {
      for (const [index, handle] of handles.entries()) {
        await handle.signal(add, 1);
        assert.equal(await handle.query(total), index * 100 + round);
      }
    }
    for (const handle of handles) await handle.signal(finish);
    assert.deepEqual(await Promise.all(handles.map((handle) => handle.result())), [3, 103, 203]);
  }));

test('a worker without a cache does the same', () => {
  const step = async (index: number) => `step ${index}`;
  return stage.withWorker({ maxCachedWorkflows: 0, activities: { step } }, async (taskQueue) => {
    const handle = await stage.start(steps, taskQueue, { args: [3] });
    for (let count = 0; count < 3; count += 1) await handle.signal(goOn);
    assert.deepEqual(await handle.result(), ['step 0', 'step 1', 'step 2']);
  });
});

test('a workflow goes on with the next worker when its worker ends', async () => {
  const taskQueue = unique('queue');
  const handle = await stage.withWorker({ taskQueue }, async () => {
    const started = await stage.start(counter, taskQueue);
    await started.signal(add, 2);
    assert.equal(await started.query(total), 2);
    return started;
  });
  await handle.signal(add, 3);
  await stage.withWorker({ taskQueue }, async () => {
    assert.equal(await handle.query(total), 5);
    await handle.signal(finish);
    assert.equal(await handle.result(), 5);
  });
});
