import type { Stage } from '../harness/stage';
import { payment } from './workflow';

/** One kill, two orders: each is caught at a different place, and neither is charged twice. */
export async function demo(stage: Stage): Promise<void> {
  const between = stage.id('order-1');
  const during = stage.id('order-2');
  const first = await stage.startWorker({
    SAMPLES_HOLD_AT: `updating:${between},charged:${during}`,
  });
  const orders = await Promise.all(
    [between, during].map((id) => stage.start(payment, id, { id, cents: 4200 })),
  );
  await first.printed(`holding at updating:${between}`);
  await first.printed(`holding at charged:${during}`);
  stage.say('order-1 is charged but not yet updated; order-2 is charged, but nobody heard of it');
  await stage.kill(first);

  const second = await stage.startWorker();
  stage.say('the second worker gets what the first one held, 3 s after that was handed out');
  const receipts = await Promise.all(orders.map((order) => order.result()));

  const asked = (order: string) => stage.calls('chargeCard', order);
  const took = (order: string) =>
    asked(order).filter((call) => call.text.startsWith('the provider took')).length;
  stage.equal('order-1: charged exactly once', took(between), 1);
  stage.equal('order-1: the provider was asked exactly once', asked(between).length, 1);
  stage.equal('order-2: charged exactly once', took(during), 1);
  stage.equal('order-2: the provider was asked again, with the same key', asked(during).length, 2);
  for (const [index, order] of [between, during].entries()) {
    stage.equal(`order-${index + 1}: updated once`, stage.calls('updateOrder', order).length, 1);
    stage.equal(`order-${index + 1}: receipt`, receipts[index].charge, `charge-${order}`);
  }
  const updates = await stage.attempts(between, 'updateOrder');
  stage.equal('order-1: the update that counts is attempt 2', updates.attempt, 2);
  stage.equal('order-1: it ran on the second worker', updates.identity, second.identity);
}
