/** All activities that a worker offers. */
export * from './batch/activities';
export * from './loan/activities';
export * from './payment/activities';
export * from './retries/activities';
export * from './saga/activities';
