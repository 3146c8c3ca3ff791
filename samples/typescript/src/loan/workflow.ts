/**
 * Waits up to 14 days for a person to decide. While it waits it costs nothing: no worker has to run, and the
 * decision may arrive while none does.
 */
import {
  condition,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type * as activities from './activities';

export interface LoanApplication {
  applicant: string;
  cents: number;
  /** How many seconds to wait for a decision; 14 days if left out. */
  patience?: number;
}

export interface Decision {
  approved: boolean;
  by: string;
}

export interface LoanStatus {
  state: 'waiting' | 'approved' | 'rejected' | 'expired';
  by?: string;
}

export const decide = defineSignal<[Decision]>('decide');
export const loanStatus = defineQuery<LoanStatus>('status');

const { notifyApplicant } = proxyActivities<typeof activities>({ startToCloseTimeout: '10s' });

export async function loanApproval(application: LoanApplication): Promise<LoanStatus> {
  let status: LoanStatus = { state: 'waiting' };
  setHandler(loanStatus, () => status);
  setHandler(decide, ({ approved, by }) => {
    // The first decision counts.
    if (status.state === 'waiting') {
      status = { state: approved ? 'approved' : 'rejected', by };
    }
  });

  const { patience } = application;
  const wait = patience === undefined ? '14 days' : patience * 1000;
  if (!(await condition(() => status.state !== 'waiting', wait))) {
    status = { state: 'expired' };
  }
  await notifyApplicant(application.applicant, status.state);
  return status;
}
