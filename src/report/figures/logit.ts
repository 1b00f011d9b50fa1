/** Axes of accuracies on the logit scale: data are logits, labels percentages. */
import { inverseLogit, logit } from '../../stats/index.js';

/** Shares that an axis may name. */
const named = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998,
  0.999,
];

/** Label of a tick: 95 %, 99.5 %. */
const label = "format(1 / (1 + exp(-datum.value)), abs(datum.value) > 4.7 ? '.1%' : '.0%')";

/** Axis and scale over these logits. */
export function logitAxis(title: string | null, values: readonly number[], rest: object = {}) {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = Math.max(0.15, (high - low) / 12);
  const domain = [low - room, high + room] as const;
  const ticks = named.map(logit).filter((v) => v >= domain[0] && v <= domain[1]);
  return {
    scale: { domain, nice: false, zero: false },
    axis: {
      title,
      labelExpr: label,
      labelOverlap: true,
      ...(ticks.length > 1 ? { values: ticks } : { tickCount: 4 }),
      ...rest,
    },
  };
}

/** Logit of a score that is drawn: 0 and 1 stay on the page. */
export const drawnLogit = (score: number): number => logit(Math.min(0.9995, Math.max(0.0005, score)));

export const shareOf = inverseLogit;
