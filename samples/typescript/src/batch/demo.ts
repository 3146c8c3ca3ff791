import type { Stage } from '../harness/stage';
import { batch, batchStatus, cancel, pause, resume } from './workflow';

const TOTAL = 24;
const PER_RUN = 7;

/** One batch that is paused and resumed, and one that is cancelled while it is paused. */
export async function demo(stage: Stage): Promise<void> {
  await stage.startWorker();
  const input = { total: TOTAL, chunk: PER_RUN };

  const batchId = stage.id('batch-1');
  const paused = await stage.start(batch, batchId, { id: batchId, ...input });
  await stage.until('four items are done', () => stage.calls('processItem', batchId).length >= 4);
  await paused.signal(pause);
  const at = await stage.until('it is paused', async () => {
    const status = await paused.query(batchStatus);
    return status.state === 'paused' ? status : undefined;
  });
  stage.say(`paused at ${at.processed} of ${at.total}, in run ${at.run}`);
  stage.check('it paused before the end', at.processed >= 4 && at.processed < TOTAL);
  const { events } = await paused.fetchHistory();
  stage.equal('no item is under way', open(events ?? []), 0);
  stage.equal('the outside agrees', stage.calls('processItem', batchId).length, at.processed);

  await paused.signal(resume);
  stage.say('resumed');
  const result = await paused.result();
  const runs = Math.ceil(TOTAL / PER_RUN);
  stage.equal('it completed', result, { state: 'completed', processed: TOTAL, total: TOTAL, run: runs });
  stage.equal(
    'every item once, in order, over all runs',
    stage.calls('processItem', batchId).map((call) => call.text),
    Array.from({ length: TOTAL }, (_, item) => `item ${item} is done`),
  );

  const doomedId = stage.id('batch-2');
  const doomed = await stage.start(batch, doomedId, { id: doomedId, ...input });
  await stage.until('two items are done', () => stage.calls('processItem', doomedId).length >= 2);
  await doomed.signal(pause);
  await doomed.signal(cancel);
  const cancelled = await doomed.result();
  stage.say(`cancelled at ${cancelled.processed} of ${cancelled.total}`);
  stage.equal('it was cancelled', cancelled.state, 'cancelled');
  stage.check('it was cancelled before the end', cancelled.processed < TOTAL);
  stage.equal(
    'what it says it did is what was done',
    stage.calls('processItem', doomedId).length,
    cancelled.processed,
  );
  stage.equal('the closed batch still answers', (await doomed.query(batchStatus)).state, 'cancelled');
}

type Events = NonNullable<Awaited<ReturnType<Stage['history']>>>;

/** How many activities of a history are scheduled but not completed. */
function open(events: Events): number {
  const scheduled = events.filter((event) => event.activityTaskScheduledEventAttributes).length;
  return scheduled - events.filter((event) => event.activityTaskCompletedEventAttributes).length;
}
