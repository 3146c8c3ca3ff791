/**
 * Works through a list of items, and can be paused, resumed, cancelled and asked how far it is. It continues as new
 * after every few items, so its history stays short however long the list is.
 */
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type * as activities from './activities';

export interface BatchInput {
  id: string;
  total: number;
  /** How many items one run takes before it continues as new. */
  chunk: number;
  /** Carried from run to run. */
  processed?: number;
  paused?: boolean;
  run?: number;
}

export interface BatchStatus {
  /** `pausing` while the item that was begun is being finished. */
  state: 'running' | 'pausing' | 'paused' | 'cancelled' | 'completed';
  processed: number;
  total: number;
  /** The run that answers, from 1. */
  run: number;
}

export const pause = defineSignal('pause');
export const resume = defineSignal('resume');
export const cancel = defineSignal('cancel');
export const batchStatus = defineQuery<BatchStatus>('status');

const { processItem } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms' },
});

export async function batch(input: BatchInput): Promise<BatchStatus> {
  const { id, total, chunk, run = 1 } = input;
  let { processed = 0, paused = false } = input;
  let cancelled = false;
  let busy = false;

  const state = (): BatchStatus['state'] => {
    if (processed === total) return 'completed';
    if (cancelled) return 'cancelled';
    if (paused) return busy ? 'pausing' : 'paused';
    return 'running';
  };
  const status = (): BatchStatus => ({ state: state(), processed, total, run });
  setHandler(batchStatus, status);
  setHandler(pause, () => void (paused = true));
  setHandler(resume, () => void (paused = false));
  setHandler(cancel, () => void (cancelled = true));

  const end = Math.min(processed + chunk, total);
  while (processed < end) {
    await condition(() => !paused || cancelled);
    if (cancelled) return status();
    busy = true;
    await processItem(id, processed);
    busy = false;
    processed += 1;
  }
  if (processed < total && !cancelled) {
    await continueAsNew<typeof batch>({
      id,
      total,
      chunk,
      processed,
      paused,
      run: run + 1,
    });
  }
  return status();
}
