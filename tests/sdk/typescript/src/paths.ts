import { join } from 'node:path';

/** All workflows of the tests, bundled once by the build. */
export const BUNDLE = join(__dirname, 'workflows.bundle.js');
