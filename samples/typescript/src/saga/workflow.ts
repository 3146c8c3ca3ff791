/**
 * Book a flight, a hotel and a car, or nothing at all: when a step fails, what was done before is undone in reverse
 * order. The list of what to undo is an ordinary variable. It survives a crash because the workflow does.
 */
import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

export interface Trip {
  id: string;
  /** How many cars the rental has left. */
  cars: number;
}

export interface TripResult {
  booked: boolean;
  /** What was undone, in the order in which it was. */
  undone: string[];
}

const { bookFlight, bookHotel, bookCar, cancelFlight, cancelHotel, cancelCar } = proxyActivities<
  typeof activities
>({ startToCloseTimeout: '3s', retry: { initialInterval: '200ms' } });

export async function bookingSaga(trip: Trip): Promise<TripResult> {
  const compensations: { name: string; undo: () => Promise<void> }[] = [];
  // Each step's compensation is noted before the step runs: a step that failed may still have had its effect (a timeout
  // does not tell), and undoing what was never done does no harm.
  const step = async (name: string, book: () => Promise<void>, undo: () => Promise<void>) => {
    compensations.unshift({ name, undo });
    await book();
  };

  try {
    await step('flight', () => bookFlight(trip), () => cancelFlight(trip));
    await step('hotel', () => bookHotel(trip), () => cancelHotel(trip));
    await step('car', () => bookCar(trip), () => cancelCar(trip));
    return { booked: true, undone: [] };
  } catch {
    const undone: string[] = [];
    // Whoever cancels the workflow now must not cancel the cleaning up.
    await CancellationScope.nonCancellable(async () => {
      for (const { name, undo } of compensations) {
        await undo();
        undone.push(name);
      }
    });
    return { booked: false, undone };
  }
}
