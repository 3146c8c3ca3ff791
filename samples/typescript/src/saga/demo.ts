import type { Stage } from '../harness/stage';
import { bookingSaga } from './workflow';

/** A trip that fails at its last step, on a worker that dies while it undoes the others. */
export async function demo(stage: Stage): Promise<void> {
  const good = stage.id('trip-1');
  const bad = stage.id('trip-2');
  const first = await stage.startWorker({ SAMPLES_HOLD_AT: `cancelled-hotel:${bad}` });
  const booked = await stage.start(bookingSaga, good, { id: good, cars: 1 });
  stage.equal('a trip with all three', await booked.result(), { booked: true, undone: [] });

  const failing = await stage.start(bookingSaga, bad, { id: bad, cars: 0 });
  await first.printed(`holding at cancelled-hotel:${bad}`);
  stage.say('the hotel is cancelled, but nobody heard of it; the flight is still booked');
  await stage.kill(first);

  const second = await stage.startWorker();
  stage.say('the second worker goes on with what is left to undo');
  const result = await failing.result();
  stage.equal('a trip without a car', result, {
    booked: false,
    undone: ['car', 'hotel', 'flight'],
  });
  const effects = stage
    .calls(undefined, bad)
    .filter((call) => /^(booked|cancelled) /.test(call.text))
    .map((call) => call.text);
  stage.equal('what happened outside: each once, undone in reverse', effects, [
    'booked the flight',
    'booked the hotel',
    'cancelled the hotel',
    'cancelled the flight',
  ]);
  const hotel = await stage.attempts(bad, 'cancelHotel');
  stage.equal('the interrupted compensation ran again', hotel.attempt, 2);
  stage.equal('on the second worker', hotel.identity, second.identity);
}
