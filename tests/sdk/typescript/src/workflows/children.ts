import * as wf from '@temporalio/workflow';

export const release = wf.defineSignal<[string]>('release');

/** Waits for a word and returns it. */
export async function waits(): Promise<string> {
  let word: string | undefined;
  wf.setHandler(release, (given) => {
    word = given;
  });
  await wf.condition(() => word !== undefined);
  return word!;
}

export async function failingChild(): Promise<void> {
  throw wf.ApplicationFailure.nonRetryable('the child fell', 'Fell');
}

/** Starts children, hands each a word, and returns what they return. */
export async function parentOfTwo(): Promise<string[]> {
  const handles = await Promise.all(['a', 'b'].map(() => wf.startChild(waits)));
  await Promise.all(handles.map((handle, index) => handle.signal(release, `word ${index}`)));
  return await Promise.all(handles.map((handle) => handle.result()));
}

/** Tells how its child failed. */
export async function parentOfFailing(): Promise<string> {
  try {
    await wf.executeChild(failingChild);
    return 'completed';
  } catch (error) {
    if (!(error instanceof wf.ChildWorkflowFailure)) throw error;
    return error.cause?.message ?? '';
  }
}

/** Starts a child under an id, and ends without it. */
export async function leavesChild(workflowId: string, parentClosePolicy: wf.ParentClosePolicy): Promise<void> {
  await wf.startChild(waits, { workflowId, parentClosePolicy });
}

/** Starts a child under an id that may be taken, and tells how that went. */
export async function startsChildAs(workflowId: string): Promise<string> {
  try {
    await wf.startChild(waits, { workflowId });
    return 'started';
  } catch (error) {
    return (error as Error).name;
  }
}

/** Cancels its child once it runs, and tells how the child ended. */
export async function cancelsChild(workflowId: string): Promise<string> {
  const scope = new wf.CancellationScope();
  const handle = await scope.run(() =>
    wf.startChild(waits, { workflowId, cancellationType: 'WAIT_CANCELLATION_COMPLETED' }),
  );
  scope.cancel();
  try {
    return await handle.result();
  } catch (error) {
    return wf.isCancellation(error) ? 'canceled' : 'failed';
  }
}
