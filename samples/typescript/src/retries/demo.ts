import type { Stage } from '../harness/stage';
import { retries } from './workflow';

/** Backoff that doubles, and errors that end at once. */
export async function demo(stage: Stage): Promise<void> {
  await stage.startWorker();
  const subject = stage.id('transfer');
  const handle = await stage.start(retries, subject, subject);

  // The server itself can tell which attempt is pending, and why the last one failed.
  const pending = await stage.until('a retry is pending', async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.find((activity) => (activity.attempt ?? 0) > 1);
  });
  const failure = pending.lastFailure?.message ?? '';
  stage.say(`the server says: attempt ${pending.attempt} of fetchRates is pending; last failure: ${failure}`);

  const outcomes = await handle.result();
  const rates = stage.calls('fetchRates', subject);
  stage.equal('fetchRates: worked at the third attempt', rates.map((call) => call.attempt), [1, 2, 3]);
  stage.equal('fetchRates: its answer', outcomes.rates, '1 EUR = 1.08 USD');
  stage.check('fetchRates: waited 500 ms or more before attempt 2', rates[1].at - rates[0].at >= 500);
  stage.check('fetchRates: waited 1000 ms or more before attempt 3', rates[2].at - rates[1].at >= 1000);
  stage.equal('payOut: one attempt, by the policy', stage.calls('payOut', subject).length, 1);
  stage.equal('payOut: its error type', outcomes.payout, 'AccountClosed');
  stage.equal('sendMail: one attempt, by the error', stage.calls('sendMail', subject).length, 1);
  stage.equal('sendMail: its error type', outcomes.mail, 'BadAddress');
  stage.equal('askPartner: two attempts, then no more', stage.calls('askPartner', subject).length, 2);
  stage.equal('askPartner: its error type', outcomes.partner, 'Refused');
  stage.equal('the server told the last failure', failure, 'the rates service does not answer');
}
