/** Part of the build: bundles the workflows once, so that each worker starts at once. */
import { writeFileSync } from 'node:fs';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { BUNDLE } from './paths';

async function main(): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: require.resolve('./workflows'),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(BUNDLE, code);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
