import { setTimeout as sleep } from 'node:timers/promises';

/** Tries to connect until it works, for half a minute: the server may be just starting. */
export async function patiently<T>(connect: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(300);
    }
  }
}
