/**
 * Runs the samples against a server, shows what happens, and fails if anything is not as it should be.
 *
 *   node dist/demo.js [--address 127.0.0.1:7233] [--namespace default] [--only payment,saga] [--quiet]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { demo as batch } from './batch/demo';
import { patiently } from './harness/connect';
import { paint, Printer, table } from './harness/printer';
import { type Setting, Stage } from './harness/stage';
import { demo as loan } from './loan/demo';
import { demo as payment } from './payment/demo';
import { demo as retries } from './retries/demo';
import { demo as saga } from './saga/demo';

interface Sample {
  name: string;
  title: string;
  demo: (stage: Stage) => Promise<void>;
}

const SAMPLES: Sample[] = [
  { name: 'payment', title: 'the worker dies between charge and update', demo: payment },
  { name: 'retries', title: 'exponential backoff, and errors not worth retrying', demo: retries },
  { name: 'loan', title: 'waits up to 14 days for a person', demo: loan },
  { name: 'saga', title: 'undoes a trip in reverse, and dies in the middle of it', demo: saga },
  { name: 'batch', title: 'pause, resume, cancel, and ask how far it is', demo: batch },
];

/** A sample that takes longer than this hangs. */
const LIMIT_MS = 60_000;

/** Runs one sample; its row in the summary, and whether it passed. */
async function run(sample: Sample, setting: Setting, quiet: boolean) {
  if (!quiet) console.log(`\n${paint('bold', sample.name)}: ${sample.title}`);
  const world = mkdtempSync(join(tmpdir(), 'steadfast-samples-'));
  process.env.SAMPLES_WORLD = world;
  const removeWorld = () => rmSync(world, { recursive: true, force: true });
  process.once('exit', removeWorld);
  const printer = new Printer(quiet);
  const stage = new Stage(sample.name, setting, printer);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    await Promise.race([sample.demo(stage), limit]);
  } catch (error) {
    stage.check('the sample runs to its end', false, error instanceof Error ? error.message : String(error));
  }
  clearTimeout(timer);
  const retried = stage.retries;
  try {
    await stage.clear();
  } catch (error) {
    stage.check('nothing is left behind', false, error instanceof Error ? error.message : String(error));
  }
  process.off('exit', removeWorld);
  removeWorld();

  const passed = stage.failures.length === 0;
  const counts = [stage.checks, retried, stage.kills].map(String);
  const row = [sample.name, passed ? 'passed' : 'FAILED', ...counts, `${printer.seconds} s`];
  return { row, passed, failures: stage.failures.map((failure) => `${sample.name}: ${failure}`) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      address: { type: 'string', default: '127.0.0.1:7233' },
      namespace: { type: 'string', default: 'default' },
      only: { type: 'string' },
      quiet: { type: 'boolean', default: false },
    },
  });
  const { address, namespace, quiet } = values;
  const wanted = values.only?.split(',') ?? SAMPLES.map((sample) => sample.name);
  const unknown = wanted.filter((name) => !SAMPLES.some((sample) => sample.name === name));
  if (unknown.length > 0) throw new Error(`no such sample: ${unknown.join(', ')}`);

  console.log(`Samples in TypeScript, server ${address}, namespace ${namespace}`);
  const connection = await patiently(() => Connection.connect({ address, connectTimeout: '3s' }));
  const setting: Setting = {
    client: new Client({ connection, namespace }),
    address,
    namespace,
    tag: Date.now().toString(36),
  };
  const results = [];
  for (const sample of SAMPLES.filter(({ name }) => wanted.includes(name))) {
    results.push(await run(sample, setting, quiet));
  }
  await connection.close();

  const head = ['sample', 'result', 'checks', 'retried', 'killed', 'time'];
  console.log(`\n${table([head, ...results.map((result) => result.row)])}`);
  for (const failure of results.flatMap((result) => result.failures)) {
    console.log(paint('red', failure));
  }
  const passed = results.filter((result) => result.passed).length;
  console.log(`\n${passed} passed, ${results.length - passed} failed`);
  if (passed < results.length) process.exitCode = 1;
}

// Ends through `exit`, so that the workers end too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
