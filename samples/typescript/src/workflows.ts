/** All workflows: the entry point of the bundle that workers run. */
export { batch } from './batch/workflow';
export { loanApproval } from './loan/workflow';
export { payment } from './payment/workflow';
export { retries } from './retries/workflow';
export { bookingSaga } from './saga/workflow';
