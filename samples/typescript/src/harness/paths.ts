import { join } from 'node:path';

/** The workflow bundle that the build writes and the worker loads. */
export const BUNDLE = join(__dirname, '..', 'workflow-bundle.js');

/** The worker's program. */
export const WORKER = join(__dirname, '..', 'worker.js');
