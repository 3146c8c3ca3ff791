"""One kill, two orders: each is caught at a different place, and neither is charged twice."""

from harness.stage import Stage
from payment.activities import Order
from payment.workflow import Payment


async def demo(stage: Stage) -> None:
    """Drives the sample."""
    between, during = stage.id("order-1"), stage.id("order-2")
    first = await stage.start_worker(f"updating:{between},charged:{during}")
    orders = [await stage.start(Payment.run, Order(id, 4200), id) for id in (between, during)]
    await first.printed(f"holding at updating:{between}")
    await first.printed(f"holding at charged:{during}")
    stage.say("order-1 is charged but not yet updated; order-2 is charged, but nobody heard of it")
    await stage.kill(first)

    second = await stage.start_worker()
    stage.say("the second worker gets what the first one held, 3 s after that was handed out")
    receipts = [await order.result() for order in orders]

    def asked(order: str) -> list[str]:
        return [call["text"] for call in stage.calls(order, "chargeCard")]

    def took(order: str) -> int:
        return sum(text.startswith("the provider took") for text in asked(order))

    stage.equal("order-1: charged exactly once", took(between), 1)
    stage.equal("order-1: the provider was asked exactly once", len(asked(between)), 1)
    stage.equal("order-2: charged exactly once", took(during), 1)
    stage.equal("order-2: the provider was asked again, with the same key", len(asked(during)), 2)
    for number, order in enumerate((between, during), start=1):
        updates = stage.calls(order, "updateOrder")
        stage.equal(f"order-{number}: updated once", len(updates), 1)
        stage.equal(f"order-{number}: receipt", receipts[number - 1].charge, f"charge-{order}")
    attempt, identity = await stage.attempts(between, "updateOrder")
    stage.equal("order-1: the update that counts is attempt 2", attempt, 2)
    stage.equal("order-1: it ran on the second worker", identity, second.identity)
