/** Validation figures of candidates, and the best of them. */
import { crossEntropy } from '../../solver/index.js';
import { accuracy, topClasses } from '../../stats/index.js';

/** One candidate of a tuning grid with its validation accuracy per fold. */
export interface TuningRow {
  readonly settings: Readonly<Record<string, number>>;
  /** Pooling of the features, where several are tried. */
  readonly pool?: string;
  readonly folds: readonly number[];
  /** Over all validation rows together. */
  readonly accuracy: number;
  readonly logLoss: number;
  /** Whether the solver reached its tolerance in every fold. */
  readonly converged: boolean;
}

/** Validation answers of one candidate gathered over folds. */
export class Tally {
  readonly folds: number[] = [];
  #right = 0;
  #count = 0;
  #loss = 0;
  #converged = true;

  add(logits: Float64Array, labels: ArrayLike<number>, classes: number, converged = true): void {
    this.#converged &&= converged;
    const own = accuracy(labels, topClasses(logits, classes));
    this.folds.push(own);
    this.#right += own * labels.length;
    this.#count += labels.length;
    for (let i = 0; i < labels.length; i++)
      this.#loss += crossEntropy(logits, i * classes, classes, labels[i] as number);
  }

  row(settings: Record<string, number>): TuningRow {
    return {
      settings,
      folds: this.folds,
      accuracy: this.#right / this.#count,
      logLoss: this.#loss / this.#count,
      converged: this.#converged,
    };
  }
}

/** The best row: highest accuracy, then lowest log loss, then the earlier of equals (grids run from the simplest). */
export function bestRow(rows: readonly TuningRow[]): TuningRow {
  return rows.reduce((best, row) =>
    row.accuracy > best.accuracy + 1e-12 || (row.accuracy > best.accuracy - 1e-12 && row.logLoss < best.logLoss - 1e-12)
      ? row
      : best,
  );
}
