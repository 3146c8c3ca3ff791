"""Charge a card, then mark the order as paid.

What is done stays done: if the worker dies between the two, another one goes on with the second step and never
repeats the first.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from payment.activities import Order, charge_card, update_order

# A dead worker is noticed when this timeout has passed. Seconds keep the demo quick.
TIMEOUT = timedelta(seconds=3)
RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200))


@dataclass
class Receipt:
    """A paid order."""

    order: str
    charge: str


@workflow.defn(name="payment")
class Payment:
    """Charges an order's card once."""

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        # The key comes from the order, so every attempt sends the same one.
        charge = await workflow.execute_activity(
            charge_card,
            args=[f"charge-{order.id}", order],
            start_to_close_timeout=TIMEOUT,
            retry_policy=RETRY,
        )
        await workflow.execute_activity(
            update_order,
            args=[order.id, charge],
            start_to_close_timeout=TIMEOUT,
            retry_policy=RETRY,
        )
        return Receipt(order=order.id, charge=charge)
