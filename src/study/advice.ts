/**
 * Probe, select, fine-tune or train from scratch? An answer from measured predictions: the most accurate method wins
 * only if the difference to every simpler one is more than chance; otherwise the simplest that is not beaten, and the
 * answer says that the data cannot tell.
 */
import { discordant, holm, mcnemarExact, mean, pairedBootstrap, permutationTest } from '../stats/index.js';
import type { MethodName } from './config/index.js';

/** From the cheapest to train and to keep to the dearest. */
export const bySimplicity: readonly MethodName[] = [
  'linear',
  'control',
  'all-l2',
  'all-l1',
  'all-l21',
  'oracle',
  'head2toe',
  'scratch',
  'finetune-tenth',
  'finetune',
  'head2toe-ft',
];

export interface Candidate {
  readonly method: MethodName;
  /** Predicted classes of the test examples, one list per seed. */
  readonly predicted: readonly (readonly number[])[];
}

export interface Advice {
  /** The method advised. */
  readonly method: MethodName;
  /** The most accurate method, and how much better it is than the next simplest rival that it leads by least. */
  readonly best: MethodName;
  readonly rival: MethodName | undefined;
  /** Accuracy of `best` minus that of `rival`, and its 95 % interval. */
  readonly margin: number | undefined;
  readonly interval: readonly [number, number] | undefined;
  /** Corrected over the rivals (Holm). */
  readonly p: number | undefined;
  /** Whether the data can tell the best from every other method. */
  readonly certain: boolean;
  readonly sentence: string;
}

const level = 0.05;

/** @returns undefined without candidates */
export function advise(candidates: readonly Candidate[], labels: readonly number[]): Advice | undefined {
  const correct = new Map(
    candidates.map(({ method, predicted }) => [
      method,
      labels.map((label, i) => mean(predicted.map((p) => (p[i] === label ? 1 : 0)))),
    ]),
  );
  const accuracy = (method: MethodName) => mean(correct.get(method) as number[]);
  const methods = candidates.map((c) => c.method).sort((a, b) => simplicity(a) - simplicity(b));
  const [first] = methods;
  if (!first) return undefined;
  // Ties go to the simpler method, which comes first.
  const best = methods.reduce((a, b) => (accuracy(b) > accuracy(a) ? b : a), first);
  const rivals = methods.filter((m) => m !== best);
  const single = candidates.every((c) => c.predicted.length === 1);
  const raw = rivals.map((rival) => {
    const [a, b] = [correct.get(best) as number[], correct.get(rival) as number[]];
    return single ? mcnemarExact(...discordant(a, b)) : permutationTest(a, b, { seed: 0, draws: 10_000 }).p;
  });
  const corrected = holm(raw);
  const unbeaten = rivals.filter((_, i) => (corrected[i] as number) >= level);
  const certain = unbeaten.length === 0;
  const method = [best, ...unbeaten].reduce((a, b) => (simplicity(b) < simplicity(a) ? b : a));
  if (rivals.length === 0) {
    return {
      method,
      best,
      rival: undefined,
      margin: undefined,
      interval: undefined,
      p: undefined,
      certain: false,
      sentence: `Only ${name(best)} was run, so there is nothing to compare it with.`,
    };
  }
  const rival = (certain ? rivals : unbeaten).reduce((a, b) => (accuracy(b) > accuracy(a) ? b : a));
  const { difference, interval } = pairedBootstrap(correct.get(best) as number[], correct.get(rival) as number[]);
  const p = corrected[rivals.indexOf(rival)] as number;
  const margin = `${points(difference)} points [${points(interval[0])}, ${points(interval[1])}]`;
  const sentence = certain
    ? `${capital(name(best))}: it leads ${name(rival)}, the next best, by ${margin}.`
    : method === best
      ? `${capital(name(best))} leads, but the data cannot tell it from ${list(unbeaten.map(name))} (${margin} ahead of ${name(rival)}); it is also the simplest of them.`
      : `The data cannot tell ${name(best)} from ${list(unbeaten.map(name))} (${margin} ahead of ${name(rival)}), so take the simplest: ${name(method)}.`;
  return { method, best, rival, margin: difference, interval, p, certain, sentence };
}

function simplicity(method: MethodName): number {
  return bySimplicity.indexOf(method);
}

const names: Readonly<Partial<Record<MethodName, string>>> = {
  linear: 'a probe on the last layer',
  head2toe: 'selected features of all layers',
  finetune: 'fine-tuning',
  'finetune-tenth': 'fine-tuning at a tenth of the learning rate',
  'head2toe-ft': 'selected features, then fine-tuning',
  scratch: 'training from scratch',
};
const name = (method: MethodName): string => names[method] ?? method;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const points = (v: number): string =>
  (100 * v)
    .toFixed(1)
    .replace(/^-(0\.0)$/, '$1')
    .replace('-', '−');
const list = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
