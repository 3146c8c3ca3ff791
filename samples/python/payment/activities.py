"""What the payment does to the outside world."""

from dataclasses import dataclass

from temporalio import activity

from outside_world import hold, note, once


@dataclass
class Order:
    """An order to be paid."""

    id: str
    cents: int


@activity.defn(name="chargeCard")
async def charge_card(idempotency_key: str, order: Order) -> str:
    """Asks the payment provider for the money. The provider takes it once for each idempotency key."""
    if once(idempotency_key):
        note(order.id, f"the provider took {order.cents / 100:.2f}")
    else:
        note(order.id, "the provider knows this key, took nothing")
    await hold(f"charged:{order.id}")
    return idempotency_key


@activity.defn(name="updateOrder")
async def update_order(order: str, charge: str) -> None:
    """Marks the order as paid."""
    await hold(f"updating:{order}")
    once(f"paid-{order}")
    note(order, f"marked as paid by {charge}")
