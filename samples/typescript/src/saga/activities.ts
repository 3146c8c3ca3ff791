import { ApplicationFailure } from '@temporalio/activity';
import { done, hold, note, once } from '../outside-world';
import type { Trip } from './workflow';

function book(what: string, { id }: Trip): void {
  note(id, once(`${what}-${id}`) ? `booked the ${what}` : `the ${what} was booked already`);
}

async function cancel(what: string, { id }: Trip): Promise<void> {
  if (!done(`${what}-${id}`)) {
    note(id, `no ${what} was booked, nothing to cancel`);
    return;
  }
  const first = once(`cancelled-${what}-${id}`);
  note(id, first ? `cancelled the ${what}` : `the ${what} was cancelled already`);
  await hold(`cancelled-${what}:${id}`);
}

export async function bookFlight(trip: Trip): Promise<void> {
  book('flight', trip);
}

export async function bookHotel(trip: Trip): Promise<void> {
  book('hotel', trip);
}

export async function bookCar(trip: Trip): Promise<void> {
  if (trip.cars === 0) {
    note(trip.id, 'no car is left');
    throw ApplicationFailure.nonRetryable('no car is left', 'NoCarLeft');
  }
  book('car', trip);
}

export const cancelFlight = (trip: Trip): Promise<void> => cancel('flight', trip);
export const cancelHotel = (trip: Trip): Promise<void> => cancel('hotel', trip);
export const cancelCar = (trip: Trip): Promise<void> => cancel('car', trip);
