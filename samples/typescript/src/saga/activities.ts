import { ApplicationFailure } from '@temporalio/activity';
import { done, hold, note, once } from '../outside-world';
import type { Trip } from './workflow';

function book(what: string, { tripId }: Trip): void {
  note(tripId, once(`${what}-${tripId}`) ? `booked the ${what}` : `the ${what} was booked already`);
}

async function cancel(what: string, { tripId }: Trip): Promise<void> {
  if (!done(`${what}-${tripId}`)) {
    note(tripId, `no ${what} was booked, nothing to cancel`);
    return;
  }
  const first = once(`cancelled-${what}-${tripId}`);
  note(tripId, first ? `cancelled the ${what}` : `the ${what} was cancelled already`);
  await hold(`cancelled-${what}:${tripId}`);
}

export async function bookFlight(trip: Trip): Promise<void> {
  book('flight', trip);
}

export async function bookHotel(trip: Trip): Promise<void> {
  book('hotel', trip);
}

export async function bookCar(trip: Trip): Promise<void> {
  if (!trip.carsLeft) {
    note(trip.tripId, 'no car is left');
    throw ApplicationFailure.nonRetryable('no car is left', 'NoCarLeft');
  }
  book('car', trip);
}

export const cancelFlight = (trip: Trip): Promise<void> => cancel('flight', trip);
export const cancelHotel = (trip: Trip): Promise<void> => cancel('hotel', trip);
export const cancelCar = (trip: Trip): Promise<void> => cancel('car', trip);
