/**
 * l2 logistic regression on some examples of a table, one penalty after another: what cross-validation fits where features
 * are fewer than examples. It is the problem of dual.ts (its lambda is that one's) by Newton's method on the features, so
 * that nothing has n x n entries.
 */
import { meanOne } from '../weights.js';
import type { KernelLabels } from './dual.js';
import { type NewtonOptions, type NewtonResult, NewtonSolver } from './newton.js';
import { HeldTable, type TableProducts } from './table.js';
import { diagonalOf, tableSpace, viewOfTable } from './table-space.js';

/** A logistic regression on a table. */
export interface TableFit {
  readonly lambda: number;
  /** On the features as the examples normalise them, (p, K). */
  readonly weights: Float64Array;
  readonly intercept: Float64Array;
  /** Of all examples of the table, those that were not fitted to included, (n, K). */
  readonly logits: Float64Array;
  /** As dual.ts has it. */
  readonly objective: number;
  readonly iterations: number;
  /** Whether the tolerance was met; the best iterate is returned all the same. */
  readonly converged: boolean;
}

/** Gradient norm relative to the penalty's, as in dual.ts, whose iterations are longer. */
export const tableLogisticDefaults: NewtonOptions = { tolerance: 0.1, maxIterations: 1000 };

export interface TableExamples extends KernelLabels {
  /** Class of every example of the table. */
  readonly labels: ArrayLike<number>;
  /** The examples that are fitted to. */
  readonly rows: ArrayLike<number>;
  /** Their weights, at any positive scale; equal by default. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Divide features by their deviation over these examples. */
  readonly standardize: boolean;
}

/** Multinomial logistic regression on a table. */
export class TableLogistic {
  readonly #solver: NewtonSolver;
  readonly #count: number;

  private constructor(solver: NewtonSolver, count: number) {
    this.#solver = solver;
    this.#count = count;
  }

  /** A solver on these features. */
  static async on(
    table: TableProducts,
    { labels, classes, rows, weights: given, standardize }: TableExamples,
    options: Partial<NewtonOptions> = {},
  ): Promise<TableLogistic> {
    const weights = new Float64Array(table.n);
    const frequencies = new Float64Array(classes);
    for (const [i, weight] of meanOne(given, rows.length).entries()) {
      weights[rows[i]] = weight;
      frequencies[labels[rows[i]]] += weight / rows.length;
    }
    // Views that share their factors need none of their own.
    let known: Promise<Float64Array> | undefined;
    const gram =
      table instanceof HeldTable
        ? () => {
            known ??= table.gram(weights);
            return known;
          }
        : undefined;
    const squares = async () => (gram ? diagonalOf(await gram(), table.p) : table.squares(weights));
    const view = await viewOfTable(table, squares, weights, standardize);
    const space = await tableSpace(table, view, classes, gram);
    const examples = {
      labels: Int32Array.from(labels),
      weights,
      classes,
      nullIntercept: frequencies.map((f) => Math.log(Math.max(1e-3 / rows.length, f))),
    };
    return new TableLogistic(new NewtonSolver(examples, space, { ...tableLogisticDefaults, ...options }), rows.length);
  }

  /** Starts the next fit from these weights (p, K) and intercept (K). */
  startFrom(weights: Float64Array, intercept: Float64Array): Promise<void> {
    return this.#solver.startFrom(weights, intercept);
  }

  /** Fits one lambda, from where the last ended. */
  async fit(lambda: number): Promise<TableFit> {
    const n = this.#count;
    const { a, b, logits, ...result }: NewtonResult = await this.#solver.solve((lambda * n) / 2);
    const { objective, iterations, converged } = result;
    const K = b.length;
    return {
      lambda,
      weights: a,
      intercept: b,
      logits: logits.map((z, at) => z + b[at % K]),
      objective: objective / n,
      iterations,
      converged,
    };
  }
}
