"""A trip that fails at its last step, on a worker that dies while it undoes the others."""

import re

from harness.stage import Stage
from saga.activities import Trip
from saga.workflow import BookingSaga, TripResult


async def demo(stage: Stage) -> None:
    """Drives the sample."""
    good, bad = stage.id("trip-1"), stage.id("trip-2")
    first = await stage.start_worker(f"cancelled-hotel:{bad}")
    booked = await stage.start(BookingSaga.run, Trip(good, cars=1), good)
    stage.equal("a trip with all three", await booked.result(), TripResult(True, []))

    failing = await stage.start(BookingSaga.run, Trip(bad, cars=0), bad)
    await first.printed(f"holding at cancelled-hotel:{bad}")
    stage.say("the hotel is cancelled, but nobody heard of it; the flight is still booked")
    await stage.kill(first)

    second = await stage.start_worker()
    stage.say("the second worker goes on with what is left to undo")
    undone = TripResult(False, ["car", "hotel", "flight"])
    stage.equal("a trip without a car", await failing.result(), undone)
    texts = [call["text"] for call in stage.calls(bad)]
    stage.equal(
        "what happened outside: each once, undone in reverse",
        [text for text in texts if re.match("(booked|cancelled) ", text)],
        ["booked the flight", "booked the hotel", "cancelled the hotel", "cancelled the flight"],
    )
    attempt, identity = await stage.attempts(bad, "cancelHotel")
    stage.equal("the interrupted compensation ran again", attempt, 2)
    stage.equal("on the second worker", identity, second.identity)
