import * as wf from '@temporalio/workflow';

export const add = wf.defineSignal<[number]>('add');
export const finish = wf.defineSignal('finish');
export const total = wf.defineQuery<number>('total');
export const scaled = wf.defineQuery<number, [number]>('scaled');
export const addAndTell = wf.defineUpdate<number, [number]>('addAndTell');
export const waitForTotal = wf.defineUpdate<number, [number]>('waitForTotal');
export const refuse = wf.defineUpdate<void>('refuse');

/** Counts what signals and updates bring, until it is told to finish. */
export async function counter(start = 0): Promise<number> {
  let sum = start;
  let finished = false;
  wf.setHandler(add, (amount) => {
    sum += amount;
  });
  wf.setHandler(finish, () => {
    finished = true;
  });
  wf.setHandler(total, () => sum);
  wf.setHandler(scaled, (factor) => sum * factor);
  wf.setHandler(
    addAndTell,
    (amount) => {
      sum += amount;
      return sum;
    },
    {
      validator: (amount) => {
        if (amount < 0) throw new Error('only upward');
      },
    },
  );
  wf.setHandler(waitForTotal, async (wanted) => {
    await wf.condition(() => sum >= wanted);
    return sum;
  });
  wf.setHandler(refuse, () => {
    throw wf.ApplicationFailure.nonRetryable('no', 'Refused');
  });
  await wf.condition(() => finished);
  await wf.condition(wf.allHandlersFinished);
  return sum;
}

/** Tells another workflow to add, and returns how that went. */
export async function tellAnother(workflowId: string, amount: number): Promise<string> {
  try {
    await wf.getExternalWorkflowHandle(workflowId).signal(add, amount);
    return 'delivered';
  } catch (error) {
    return (error as Error).name;
  }
}

/** Collects signals in the order in which they come. */
export const note = wf.defineSignal<[string]>('note');
export async function collector(count: number): Promise<string[]> {
  const notes: string[] = [];
  wf.setHandler(note, (text) => {
    notes.push(text);
  });
  await wf.condition(() => notes.length >= count);
  return notes;
}
