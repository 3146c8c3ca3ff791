import * as wf from '@temporalio/workflow';

interface Cleaning {
  clean(what: string): Promise<void>;
}

const { clean } = wf.proxyActivities<Cleaning>({ startToCloseTimeout: '1 minute' });

/** Sleeps for a day. When it is cancelled it cleans up, where the cancellation cannot reach, and then ends as cancelled. */
export async function cleansUp(): Promise<void> {
  try {
    await wf.sleep('1 day');
  } catch (error) {
    if (wf.isCancellation(error)) await wf.CancellationScope.nonCancellable(() => clean('room'));
    throw error;
  }
}

/** Takes no notice of its cancellation but to say that it came. */
export async function ignoresCancellation(): Promise<string> {
  const scope = wf.CancellationScope.current();
  await scope.cancelRequested.catch(() => undefined);
  return 'went on';
}

/** Cancels one scope, and waits for its sibling. */
export async function cancelsOneScope(): Promise<string[]> {
  const lost = new wf.CancellationScope();
  const outcome = lost.run(() => wf.sleep('1 day')).then(
    () => 'slept',
    (error: unknown) => (wf.isCancellation(error) ? 'canceled' : 'failed'),
  );
  const kept = wf.CancellationScope.cancellable(async () => {
    await wf.sleep(1);
    return 'kept';
  });
  lost.cancel();
  return [await outcome, await kept];
}

/** Gives up after a short time what would take a day. */
export async function givesUp(): Promise<string> {
  try {
    await wf.CancellationScope.withTimeout(1, () => wf.sleep('1 day'));
    return 'slept';
  } catch (error) {
    return wf.isCancellation(error) ? 'gave up' : 'failed';
  }
}

/** Asks another workflow to cancel itself. */
export async function cancelsAnother(workflowId: string): Promise<void> {
  await wf.getExternalWorkflowHandle(workflowId).cancel();
}
