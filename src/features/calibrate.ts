/** Tries how many streams are fastest here, with the real network, for about two seconds. */

/** What is tried, and how time is told. */
export interface Trial {
  /** Numbers of streams. */
  readonly choices: readonly number[];
  /** Runs so many batches beside each other, each in a stream of its own. */
  readonly round: (streams: number) => Promise<unknown>;
  /** Seconds of all trials together, at least; every choice is tried twice whatever it takes. */
  readonly seconds?: number;
  /** Seconds, from any beginning. */
  readonly clock?: () => number;
}

/** A choice, and batches per second at its best. */
export interface Tried {
  readonly streams: number;
  readonly rate: number;
}

/** Another choice than the first must be faster by this part: what is level stays as it would be without trying. */
const leastGain = 0.03;

/**
 * Rounds of all choices in turn, so that other work on the machine meets all of them; of each the fastest round counts.
 * @returns the choice, and all that were tried
 */
export async function calibrate({
  choices,
  round,
  seconds = 2,
  clock = () => performance.now() / 1000,
}: Trial): Promise<{ readonly streams: number; readonly tried: readonly Tried[] }> {
  const [first = 1] = choices;
  if (choices.length < 2) return { streams: first, tried: [] };
  // The first run of a session lays out its memory.
  await round(Math.max(...choices));
  const least = new Map<number, number>();
  const began = clock();
  for (let rounds = 0; rounds < 2 || clock() - began < seconds; rounds++) {
    for (const streams of choices) {
      const before = clock();
      await round(streams);
      least.set(streams, Math.min(least.get(streams) ?? Number.POSITIVE_INFINITY, clock() - before));
    }
  }
  const tried = choices.map((streams) => ({ streams, rate: streams / (least.get(streams) as number) }));
  const usual = (tried[0] as Tried).rate;
  const best = tried.reduce((a, b) => (b.rate > a.rate ? b : a));
  return { streams: best.rate > usual * (1 + leastGain) ? best.streams : first, tried };
}
