import { hold, note, once } from '../outside-world';
import type { Order } from './workflow';

/** Asks the payment provider for the money. The provider takes it once for each idempotency key. */
export async function chargeCard(idempotencyKey: string, order: Order): Promise<string> {
  const amount = (order.cents / 100).toFixed(2);
  const first = once(idempotencyKey);
  note(order.id, first ? `the provider took ${amount}` : 'the provider knows this key, took nothing');
  await hold(`charged:${order.id}`);
  return idempotencyKey;
}

/** Marks the order as paid. */
export async function updateOrder(order: string, charge: string): Promise<void> {
  await hold(`updating:${order}`);
  once(`paid-${order}`);
  note(order, `marked as paid by ${charge}`);
}
