/**
 * Four ways in which a failing activity ends: it works in the end, its error is not worth retrying (the
 * caller says so, or the activity itself does), or its attempts run out. The server keeps the retries: no worker
 * has to remember them.
 */
import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

export interface Outcomes {
  /** The answer of the activity that fails twice and then works. */
  rates: string;
  /** For each of the others the error type that it ended with. */
  payout: string;
  mail: string;
  partner: string;
}

const { fetchRates } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
});

const { payOut } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', nonRetryableErrorTypes: ['AccountClosed'] },
});

const { sendMail } = proxyActivities<typeof activities>({ startToCloseTimeout: '10s' });

const { askPartner } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '100ms', maximumAttempts: 2 },
});

export async function retries(subject: string): Promise<Outcomes> {
  return {
    rates: await fetchRates(subject),
    payout: await errorType(payOut(subject)),
    mail: await errorType(sendMail(subject)),
    partner: await errorType(askPartner(subject)),
  };
}

/** Waits for an activity to fail for good, and tells the type of the error that it failed with. */
async function errorType(activity: Promise<void>): Promise<string> {
  try {
    await activity;
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) {
      return error.cause.type ?? 'no type';
    }
    throw error;
  }
  return 'no error';
}
