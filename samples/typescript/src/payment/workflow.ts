/**
 * Charge a card, then mark the order as paid. What is done stays done: if the worker dies between the
 * two, another one goes on with the second step and never repeats the first.
 */
import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

export interface Order {
  id: string;
  cents: number;
}

export interface Receipt {
  order: string;
  charge: string;
}

// A dead worker is noticed when this timeout has passed. Seconds keep the demo quick.
const { chargeCard, updateOrder } = proxyActivities<typeof activities>({
  startToCloseTimeout: '3s',
  retry: { initialInterval: '200ms' },
});

export async function payment(order: Order): Promise<Receipt> {
  // The key comes from the order, so every attempt sends the same one.
  const charge = await chargeCard(`charge-${order.id}`, order);
  await updateOrder(order.id, charge);
  return { order: order.id, charge };
}
