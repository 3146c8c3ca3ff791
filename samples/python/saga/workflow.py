"""Book a flight, a hotel and a car, or nothing at all.

When a step fails, what was done before is undone in reverse order. The list of what to undo is an ordinary
variable. It survives a crash because the workflow does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from saga.activities import (
        Trip,
        book_car,
        book_flight,
        book_hotel,
        cancel_car,
        cancel_flight,
        cancel_hotel,
    )

Step = Callable[[Trip], Awaitable[None]]

STEPS: list[tuple[str, Step, Step]] = [
    ("flight", book_flight, cancel_flight),
    ("hotel", book_hotel, cancel_hotel),
    ("car", book_car, cancel_car),
]


@dataclass
class TripResult:
    """What came of a trip."""

    booked: bool
    undone: list[str]
    """What was undone, in the order in which it was."""


async def _execute(step: Step, trip: Trip) -> None:
    await workflow.execute_activity(
        step,
        trip,
        start_to_close_timeout=timedelta(seconds=3),
        retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=200)),
    )


@workflow.defn(name="bookingSaga")
class BookingSaga:
    """One trip, all of it or nothing."""

    def __init__(self) -> None:
        self._compensations: list[tuple[str, Step]] = []

    @workflow.run
    async def run(self, trip: Trip) -> TripResult:
        try:
            for name, book, cancel in STEPS:
                # Noted before the step runs: a step that failed may still have had its effect (a timeout does
                # not tell), and undoing what was never done does no harm.
                self._compensations.append((name, cancel))
                await _execute(book, trip)
        except ActivityError:
            # Whoever cancels the workflow now must not cancel the cleaning up.
            undone = await asyncio.shield(asyncio.create_task(self._undo(trip)))
            return TripResult(booked=False, undone=undone)
        return TripResult(booked=True, undone=[])

    async def _undo(self, trip: Trip) -> list[str]:
        undone = []
        for name, cancel in reversed(self._compensations):
            await _execute(cancel, trip)
            undone.append(name)
        return undone
