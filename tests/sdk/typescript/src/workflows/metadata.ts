import * as wf from '@temporalio/workflow';

/** Has a summary on its activity and its timer, and tells of itself while it waits. */
export const leave = wf.defineSignal('leave');
export async function describesItself(): Promise<void> {
  const activities = wf.proxyActivities<{ work(): Promise<void> }>({ startToCloseTimeout: '1 minute' });
  await activities.work.executeWithOptions({ startToCloseTimeout: '1 minute', summary: 'the work' }, []);
  await wf.sleep(1, { summary: 'a short rest' });
  let left = false;
  wf.setHandler(leave, () => {
    left = true;
  });
  wf.setCurrentDetails('waiting for leave');
  await wf.condition(() => left);
}

/** The priorities that it was given, and that it gives on. */
export async function tellsPriority(): Promise<(number | undefined)[]> {
  const activities = wf.proxyActivities<{ priorityHere(): Promise<number | undefined> }>({
    startToCloseTimeout: '1 minute',
  });
  const inherited = await activities.priorityHere();
  const own = await activities.priorityHere.executeWithOptions(
    { startToCloseTimeout: '1 minute', priority: { priorityKey: 1 } },
    [],
  );
  return [wf.workflowInfo().priority?.priorityKey, inherited, own];
}
