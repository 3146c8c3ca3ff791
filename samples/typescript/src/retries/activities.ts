import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import { note } from '../outside-world';

/** Fails twice, then works. */
export async function fetchRates(subject: string): Promise<string> {
  if (activityInfo().attempt < 3) {
    note(subject, 'no answer');
    throw ApplicationFailure.retryable('the rates service does not answer', 'Unavailable');
  }
  note(subject, 'the rates arrived');
  return '1 EUR = 1.08 USD';
}

/** Fails with a type that the caller lists as not worth retrying. */
export async function payOut(subject: string): Promise<void> {
  note(subject, 'the account is closed');
  throw ApplicationFailure.create({ message: 'the account is closed', type: 'AccountClosed' });
}

/** Knows by itself that another attempt would not help. */
export async function sendMail(subject: string): Promise<void> {
  note(subject, 'this is no mail address');
  throw ApplicationFailure.nonRetryable('this is no mail address', 'BadAddress');
}

/** Never works. */
export async function askPartner(subject: string): Promise<void> {
  note(subject, 'refused');
  throw ApplicationFailure.retryable('the partner refuses', 'Refused');
}
