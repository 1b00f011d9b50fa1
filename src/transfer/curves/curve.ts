/** The course of a training run as loggers take it. */
import type { EpochRecord } from '../checkpoint.js';

/** A training curve, for other programs' files. */
export interface Curve {
  /** What the run is called: its folder's name, or its unit's label. */
  readonly name: string;
  readonly epochs: readonly EpochRecord[];
  /** Settings, for loggers that keep them. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  /** Figures at its end: test accuracy. */
  readonly end: Readonly<Record<string, number>>;
  /** Milliseconds since 1970 at which it ended. */
  readonly time: number;
}

export interface Scalar {
  readonly tag: string;
  readonly value: number;
  /** Steps of training done. */
  readonly step: number;
}

/** Every figure of a curve, epoch after epoch. */
export function scalarsOf({ epochs, end }: Pick<Curve, 'epochs' | 'end'>): Scalar[] {
  const each = epochs.flatMap(({ step, loss, accuracy, learningRate, watched }): Scalar[] => [
    { tag: 'train/loss', value: loss, step },
    ...(accuracy === undefined ? [] : [{ tag: 'train/accuracy', value: accuracy, step }]),
    { tag: 'learning_rate', value: learningRate, step },
    ...(watched === undefined ? [] : [{ tag: 'validation/accuracy', value: watched, step }]),
  ]);
  const last = epochs.at(-1)?.step ?? 0;
  return [...each, ...Object.entries(end).map(([tag, value]): Scalar => ({ tag, value, step: last }))];
}
