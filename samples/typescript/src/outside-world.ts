/**
 * The world outside of the workflows: a payment provider, an airline, a mail server.
 *
 * It is a folder of plain files, so that it outlives a killed worker and so that the demo can look
 * afterwards at what really happened, instead of believing what the workflows say.
 */
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activityInfo } from '@temporalio/activity';

/** One request that an activity made to the outside world. */
export interface Call {
  /** Which activity asked. */
  activity: string;
  /** What it asked about: an order, a trip, an item. */
  subject: string;
  /** The activity's attempt, from 1. */
  attempt: number;
  /** When, in milliseconds since 1970. */
  at: number;
  /** What happened, in words. */
  text: string;
}

/** Where the files are when nothing else is said. */
export function worldFolder(): string {
  return process.env.SAMPLES_WORLD ?? join(tmpdir(), 'steadfast-samples');
}

/** Notes a request in the log of all requests, and prints it: this is the worker's live progress. */
export function note(subject: string, text: string): void {
  const info = activityInfo();
  const call: Call = {
    activity: info.activityType,
    subject,
    attempt: info.attempt,
    at: Date.now(),
    text,
  };
  mkdirSync(worldFolder(), { recursive: true });
  appendFileSync(join(worldFolder(), 'calls.jsonl'), JSON.stringify(call) + '\n');
  console.log(`${call.activity} ${subject}, attempt ${call.attempt}: ${text}`);
}

/**
 * Lets an effect take place once for its key: true if it has taken place now, false if it had before.
 * This is what an idempotency key buys at a real provider. The file is created exclusively, so two
 * callers at the same moment cannot both be first.
 */
export function once(key: string): boolean {
  const folder = join(worldFolder(), 'effects');
  mkdirSync(folder, { recursive: true });
  try {
    closeSync(openSync(join(folder, key), 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the effect with this key has taken place. */
export function done(key: string): boolean {
  return existsSync(join(worldFolder(), 'effects', key));
}

/** All requests so far, in order. */
export function calls(): Call[] {
  let text: string;
  try {
    text = readFileSync(join(worldFolder(), 'calls.jsonl'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Call);
}

/**
 * Stops here for good when the worker was started with this point in SAMPLES_HOLD_AT (a list with
 * commas), and says so. The demo then kills the process with SIGKILL: the moment at which a machine
 * dies, made repeatable.
 */
export async function hold(point: string): Promise<void> {
  if (!(process.env.SAMPLES_HOLD_AT ?? '').split(',').includes(point)) return;
  console.log(`holding at ${point}`);
  await new Promise(() => setInterval(() => undefined, 60_000));
}
