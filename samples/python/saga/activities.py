"""What the trip does to the outside world."""

from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from outside_world import done, hold, note, once


@dataclass
class Trip:
    """A trip to book."""

    id: str
    cars: int
    """How many cars the rental has left."""


def _book(what: str, trip: Trip) -> None:
    first = once(f"{what}-{trip.id}")
    note(trip.id, f"booked the {what}" if first else f"the {what} was booked already")


async def _cancel(what: str, trip: Trip) -> None:
    if not done(f"{what}-{trip.id}"):
        note(trip.id, f"no {what} was booked, nothing to cancel")
        return
    first = once(f"cancelled-{what}-{trip.id}")
    note(trip.id, f"cancelled the {what}" if first else f"the {what} was cancelled already")
    await hold(f"cancelled-{what}:{trip.id}")


@activity.defn(name="bookFlight")
async def book_flight(trip: Trip) -> None:
    """Books the flight."""
    _book("flight", trip)


@activity.defn(name="bookHotel")
async def book_hotel(trip: Trip) -> None:
    """Books the hotel."""
    _book("hotel", trip)


@activity.defn(name="bookCar")
async def book_car(trip: Trip) -> None:
    """Books the car, or fails for good if there is none."""
    if trip.cars == 0:
        note(trip.id, "no car is left")
        raise ApplicationError("no car is left", type="NoCarLeft", non_retryable=True)
    _book("car", trip)


@activity.defn(name="cancelFlight")
async def cancel_flight(trip: Trip) -> None:
    """Cancels the flight, if it was booked."""
    await _cancel("flight", trip)


@activity.defn(name="cancelHotel")
async def cancel_hotel(trip: Trip) -> None:
    """Cancels the hotel, if it was booked."""
    await _cancel("hotel", trip)


@activity.defn(name="cancelCar")
async def cancel_car(trip: Trip) -> None:
    """Cancels the car, if it was booked."""
    await _cancel("car", trip)
