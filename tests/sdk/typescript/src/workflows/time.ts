import * as wf from '@temporalio/workflow';

/** Sleeps, and tells how long it believes that to have been. */
export async function sleeps(milliseconds: number): Promise<number> {
  const began = Date.now();
  await wf.sleep(milliseconds);
  return Date.now() - began;
}

/** Waits for a signal, but not for ever. */
export const wake = wf.defineSignal('wake');
export async function wokenOrTired(milliseconds: number): Promise<string> {
  let woken = false;
  wf.setHandler(wake, () => {
    woken = true;
  });
  return (await wf.condition(() => woken, milliseconds)) ? 'woken' : 'tired';
}

export async function returnsAtOnce(): Promise<string> {
  return 'done';
}
