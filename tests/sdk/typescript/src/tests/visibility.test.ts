import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { SearchAttributePair } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { NAMESPACE, Stage, unique, until } from '../stage';
import { ATTRIBUTES, COLOR, FRAGILE, PACKED, paint, parcel, SIZE, TAGS, WEIGHT } from '../workflows';

const { IndexedValueType } = temporal.api.enums.v1;
const stage = Stage.forThisFile(async ({ client }) => {
  const { operatorService } = client.connection;
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace: NAMESPACE });
  const missing = ATTRIBUTES.filter(({ name }) => !(name in customAttributes));
  if (missing.length === 0) return;
  const pairs = missing.map(({ name, type }) => [name, IndexedValueType[`INDEXED_VALUE_TYPE_${type}`]] as const);
  await operatorService.addSearchAttributes({ namespace: NAMESPACE, searchAttributes: Object.fromEntries(pairs) });
});

/** Starts parcels of one color that no other test uses. */
async function parcels(color: string, each: SearchAttributePair[][]): Promise<string[]> {
  return await Promise.all(
    each.map(async (pairs) => {
      const typedSearchAttributes = [{ key: COLOR, value: color }, ...pairs];
      return (await stage.start(parcel, unique('queue'), { typedSearchAttributes })).workflowId;
    }),
  );
}

async function list(query: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { workflowId } of stage.client.workflow.list({ query })) found.push(workflowId);
  return found.sort();
}

test('filters of every type find what they should', async () => {
  const color = unique('color');
  const [small, large] = await parcels(color, [
    [
      { key: SIZE, value: 1 },
      { key: WEIGHT, value: 0.5 },
      { key: FRAGILE, value: true },
      { key: PACKED, value: new Date('2024-05-06T07:08:09.123Z') },
      { key: TAGS, value: ['gift', 'paper'] },
    ],
    [{ key: SIZE, value: 20 }],
  ]);
  const all = `TestColor = '${color}'`;
  await until(async () => (await list(all)).length === 2);
  const cases: [string, (string | undefined)[]][] = [
    ['TestSize = 1', [small]],
    ['TestSize > 1', [large]],
    ['TestSize BETWEEN 1 AND 20', [small, large]],
    ['TestWeight < 0.75', [small]],
    ['TestFragile = true', [small]],
    ["TestPacked >= '2024-05-06T07:08:09Z' AND TestPacked < '2024-05-06T07:08:10Z'", [small]],
    ["TestTags = 'gift'", [small]],
    ["TestTags IN ('paper', 'stone')", [small]],
    ['TestWeight IS NULL', [large]],
    ["WorkflowType = 'parcel' AND ExecutionStatus = 'Running'", [small, large]],
    [`WorkflowId STARTS_WITH 'parcel-' AND NOT TestSize = 20`, [small]],
    ['TestSize = 3 OR TestSize = 20', [large]],
  ];
  for (const [filter, expected] of cases) {
    assert.deepEqual(await list(`${all} AND (${filter})`), expected.sort(), filter);
  }
});

test('a count, in groups too', async () => {
  const color = unique('color');
  const ids = await parcels(color, [[], [], []]);
  const query = `TestColor = '${color}'`;
  await until(async () => (await stage.client.workflow.count(query)).count === 3);
  await stage.client.workflow.getHandle(ids[0]!).terminate();
  const groups = await until(async () => {
    const counted = await stage.client.workflow.count(`${query} GROUP BY ExecutionStatus`);
    return counted.groups.length === 2 && counted.groups;
  });
  const pairs = groups.map(({ count, groupValues }) => [String(groupValues[0]), count]);
  assert.deepEqual(Object.fromEntries(pairs), { Running: 2, Terminated: 1 });
});

test('a running workflow changes and removes its attributes', () =>
  stage.withWorker({}, async (taskQueue) => {
    const [before, after] = [unique('color'), unique('color')];
    const typedSearchAttributes = [{ key: COLOR, value: before }];
    const handle = await stage.start(parcel, taskQueue, { typedSearchAttributes });
    await handle.signal(paint, after);
    await until(async () => (await list(`TestColor = '${after}'`)).includes(handle.workflowId));
    assert.deepEqual(await list(`TestColor = '${before}'`), []);
    const description = await handle.describe();
    assert.equal(description.typedSearchAttributes.get(COLOR), after);
    assert.deepEqual(description.memo, { painted: after });
    await handle.signal(paint, null);
    await until(async () => (await list(`WorkflowId = '${handle.workflowId}' AND TestColor IS NULL`)).length === 1);
  }));

test('a filter that makes no sense is refused', async () => {
  for (const query of ['NoSuchAttribute = 1', 'WorkflowId =', "TestSize = 'large'"]) {
    await assert.rejects(
      list(query),
      (error: unknown) => error instanceof ServiceError && isGrpcServiceError(error.cause) && error.cause.code === 3,
      query,
    );
  }
});
