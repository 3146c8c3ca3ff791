/**
 * One worker process with all workflows and activities of the samples.
 *
 *   node dist/worker.js [--address 127.0.0.1:7233] [--namespace default] [--task-queue samples] [--identity NAME]
 *
 * Prints `ready` when it polls, then one line for each request its activities make.
 */
import { parseArgs } from 'node:util';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import { patiently } from './harness/connect';
import { BUNDLE } from './harness/paths';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      address: { type: 'string', default: '127.0.0.1:7233' },
      namespace: { type: 'string', default: 'default' },
      'task-queue': { type: 'string', default: 'samples' },
      identity: { type: 'string', default: `worker-${process.pid}` },
    },
  });
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await patiently(() => NativeConnection.connect({ address: values.address }));
  try {
    const worker = await Worker.create({
      connection,
      namespace: values.namespace,
      taskQueue: values['task-queue'],
      identity: values.identity,
      workflowBundle: { codePath: BUNDLE },
      activities,
      // A workflow task for a worker that died goes to another one after this time. The default of ten
      // seconds is right for a real network; here it would only make the demo slow.
      stickyQueueScheduleToStartTimeout: '1s',
      shutdownGraceTime: '1s',
    });
    console.log('ready');
    await worker.run();
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
