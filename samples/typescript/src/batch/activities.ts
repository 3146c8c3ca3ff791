import { setTimeout as sleep } from 'node:timers/promises';
import { note, once } from '../outside-world';

/** Works on one item for a little while. */
export async function processItem(batchId: string, item: number): Promise<void> {
  await sleep(100);
  once(`item-${batchId}-${item}`);
  note(batchId, `item ${item} is done`);
}
