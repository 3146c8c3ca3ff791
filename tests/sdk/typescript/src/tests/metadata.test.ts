import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { Stage, until } from '../stage';
import { describesItself, leave } from '../workflows';

const stage = Stage.forThisFile();
const activities = { work: async () => undefined };

test('summary and details of a workflow are told with it', () =>
  stage.withWorker({ activities }, async (taskQueue) => {
    const handle = await stage.start(describesItself, taskQueue, {
      staticSummary: 'a test',
      staticDetails: 'line one\nline two',
      memo: { customer: 'c-1' },
    });
    const description = await handle.describe();
    assert.equal(await description.staticSummary(), 'a test');
    assert.equal(await description.staticDetails(), 'line one\nline two');
    assert.deepEqual(description.memo, { customer: 'c-1' });
  }));

test('summaries of an activity and of a timer are in history', () =>
  stage.withWorker({ activities }, async (taskQueue) => {
    const handle = await stage.start(describesItself, taskQueue);
    await handle.signal(leave);
    await until(async () => (await stage.eventNames(handle.workflowId)).includes('TimerFired'));
    const summaries = (await stage.events(handle.workflowId)).flatMap(({ userMetadata }) =>
      userMetadata?.summary ? [defaultPayloadConverter.fromPayload(userMetadata.summary)] : [],
    );
    assert.deepEqual(summaries, ['the work', 'a short rest']);
  }));

test('a workflow tells of itself when it is asked', () =>
  stage.withWorker({ activities }, async (taskQueue) => {
    const handle = await stage.start(describesItself, taskQueue);
    const metadata = await until(async () => {
      const found = await handle.query<temporal.api.sdk.v1.IWorkflowMetadata>('__temporal_workflow_metadata');
      return found.currentDetails ? found : undefined;
    });
    assert.equal(metadata.currentDetails, 'waiting for leave');
    assert.equal(metadata.definition?.type, 'describesItself');
    assert(metadata.definition?.signalDefinitions?.some(({ name }) => name === 'leave'));
  }));
