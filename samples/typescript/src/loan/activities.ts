import { note } from '../outside-world';

/** Tells the applicant how it went. */
export async function notifyApplicant(applicant: string, state: string): Promise<void> {
  note(applicant, `told that the loan is ${state}`);
}
