import * as wf from '@temporalio/workflow';

type Activities = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** Runs one activity, by name, with the options of the test. */
export async function runActivity(
  name: string,
  options: wf.ActivityOptions = {},
  args: unknown[] = [],
): Promise<unknown> {
  const activities = wf.proxyActivities<Activities>({ startToCloseTimeout: '1 minute', ...options });
  return await activities[name]!(...args);
}

/** As `runActivity`, on the workflow's own worker. */
export async function runLocalActivity(
  name: string,
  options: wf.LocalActivityOptions = {},
  args: unknown[] = [],
): Promise<unknown> {
  const activities = wf.proxyLocalActivities<Activities>({ startToCloseTimeout: '1 minute', ...options });
  return await activities[name]!(...args);
}

/** Runs activities one after another, and after each waits for a signal to go on. */
export const goOn = wf.defineSignal('goOn');
export const stepsDone = wf.defineQuery<number>('stepsDone');
export async function steps(count: number): Promise<string[]> {
  const { step } = wf.proxyActivities<{ step(index: number): Promise<string> }>({
    startToCloseTimeout: '1 minute',
  });
  const results: string[] = [];
  let permitted = 0;
  wf.setHandler(goOn, () => {
    permitted += 1;
  });
  wf.setHandler(stepsDone, () => results.length);
  for (let index = 0; index < count; index += 1) {
    await wf.condition(() => permitted > index);
    results.push(await step(index));
  }
  return results;
}

/** Cancels its activity as soon as that runs, and tells how the activity ended. */
export const activityRuns = wf.defineSignal('activityRuns');
export async function cancelActivity(name: string): Promise<string> {
  const activities = wf.proxyActivities<Activities>({
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: '30 seconds',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
  const scope = new wf.CancellationScope();
  let runs = false;
  wf.setHandler(activityRuns, () => {
    runs = true;
  });
  const ended = scope.run(() => activities[name]!(wf.workflowInfo().workflowId));
  await wf.condition(() => runs);
  scope.cancel();
  try {
    return `completed with ${String(await ended)}`;
  } catch (error) {
    return wf.isCancellation(error) ? 'canceled' : `failed: ${String(error)}`;
  }
}
