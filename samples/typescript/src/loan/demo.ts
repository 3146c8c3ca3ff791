import type { Stage } from '../harness/stage';
import { decide, loanApproval, loanStatus } from './workflow';

/** A decision that arrives while no worker runs, and one that never arrives. */
export async function demo(stage: Stage): Promise<void> {
  const first = await stage.startWorker();
  const applicant = stage.id('loan-1');
  const loan = await stage.start(loanApproval, applicant, { applicant, cents: 2_500_000 });
  stage.equal('status before the decision', (await loan.query(loanStatus)).state, 'waiting');

  const { events } = await loan.fetchHistory();
  const timer = events?.find((event) => event.timerStartedEventAttributes);
  const wait = Number(timer?.timerStartedEventAttributes?.startToFireTimeout?.seconds ?? 0);
  stage.equal('the timer in the history is 14 days, in seconds', wait, 14 * 24 * 60 * 60);

  await stage.stop(first);
  stage.say('nobody runs now; the decision arrives all the same');
  await loan.signal(decide, { approved: true, by: 'Ms Ito' });

  await stage.startWorker();
  const decided = await loan.result();
  stage.equal('the decision', decided, { state: 'approved', by: 'Ms Ito' });
  stage.equal('status of the closed loan', (await loan.query(loanStatus)).state, 'approved');
  stage.equal('the applicant was told once', stage.calls('notifyApplicant', applicant).length, 1);

  const forgotten = stage.id('loan-2');
  const expiring = await stage.start(loanApproval, forgotten, {
    applicant: forgotten,
    cents: 100_000,
    patience: 1,
  });
  stage.say('loan-2 waits for 1 second instead of 14 days, and nobody decides');
  stage.equal('without a decision it expires', (await expiring.result()).state, 'expired');
}
