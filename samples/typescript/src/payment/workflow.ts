/**
 * Charge a card, then mark the order as paid. What is done stays done: if the worker dies between the
 * two, another one goes on with the second step and never repeats the first.
 */
import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

export interface Order {
  orderId: string;
  amountCents: number;
}

export interface Receipt {
  orderId: string;
  chargeId: string;
}

// A dead worker is noticed when this timeout has passed. Seconds keep the demo quick.
const { chargeCard, updateOrder } = proxyActivities<typeof activities>({
  startToCloseTimeout: '3s',
  retry: { initialInterval: '200ms' },
});

export async function payment(order: Order): Promise<Receipt> {
  // The key comes from the order, so every attempt sends the same one.
  const chargeId = await chargeCard(`charge-${order.orderId}`, order);
  await updateOrder(order.orderId, chargeId);
  return { orderId: order.orderId, chargeId };
}
