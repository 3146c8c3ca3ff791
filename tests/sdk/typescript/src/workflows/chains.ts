import * as wf from '@temporalio/workflow';

/** What a run of a chain saw of itself. */
export interface Link {
  runs: number;
  continuedFrom: boolean;
  memo: unknown;
}

/** Continues as new until it has run so many times. */
export async function countdown(left: number, runs = 1): Promise<Link> {
  if (left > 0) await wf.continueAsNew<typeof countdown>(left - 1, runs + 1);
  const info = wf.workflowInfo();
  return { runs, continuedFrom: info.continuedFromExecutionRunId !== undefined, memo: info.memo };
}

/** Continues as new when it is told to, with the signals that it has not worked on. */
export const push = wf.defineSignal<[string]>('push');
export const turn = wf.defineSignal('turn');
export const close = wf.defineSignal('close');
export async function carries(items: string[] = []): Promise<string[]> {
  const held = [...items];
  let turned = false;
  let closed = false;
  wf.setHandler(push, (item) => {
    held.push(item);
  });
  wf.setHandler(turn, () => {
    turned = true;
  });
  wf.setHandler(close, () => {
    closed = true;
  });
  await wf.condition(() => turned || closed);
  if (closed) return held;
  return await wf.continueAsNew<typeof carries>(held);
}

/** Fails until its last permitted attempt. */
export async function failsUntil(attempt: number): Promise<number> {
  const current = wf.workflowInfo().attempt;
  if (current < attempt) throw wf.ApplicationFailure.retryable(`attempt ${current}`);
  return current;
}

/** Fails for good. */
export async function fails(): Promise<void> {
  throw wf.ApplicationFailure.create({
    message: 'out of stock',
    type: 'OutOfStock',
    nonRetryable: true,
    details: ['shoes', 42],
    cause: new Error('the shelf is empty'),
  });
}
