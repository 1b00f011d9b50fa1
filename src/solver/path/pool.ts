/** The pool: normalised values of every feature that may matter, gathered once, contiguous for the small products. */
import type { Engine } from '../../engine/index.js';
import { type Design, normalised } from '../design.js';
import { countMacs } from '../macs.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import { type CorrelationNorm, correlationGraph } from './graphs.js';

export class Pool {
  /** Slot of each feature of the matrix, -1 when it is not here. */
  readonly slotOf: Int32Array;
  /** Feature of each slot, and how many slots are taken. */
  features = new Int32Array(0);
  count = 0;
  /** (count, n) in the first count n values. */
  values: Floats;
  /** Current weights (count, K), zero outside the active set. */
  weights: Floats;
  /** Weights of the lambda before, for extrapolation along the path. */
  previous: Floats;
  /** 1 for every slot with a weight that is not zero. */
  active = new Uint8Array(0);
  readonly #design: Design;
  readonly #n: number;

  constructor(
    design: Design,
    readonly classes: number,
    readonly precision: Precision,
  ) {
    this.#design = design;
    this.#n = design.rows.length;
    this.slotOf = new Int32Array(design.matrix.features).fill(-1);
    this.values = floats(precision, 0);
    this.weights = floats(precision, 0);
    this.previous = floats(precision, 0);
  }

  has(feature: number): boolean {
    return this.slotOf[feature] >= 0;
  }

  /** Features with a weight. */
  activeFeatures(): number[] {
    const active: number[] = [];
    for (let slot = 0; slot < this.count; slot++) if (this.active[slot]) active.push(this.features[slot]);
    return active;
  }

  /** Adds the features that are not here yet. */
  async add(features: Iterable<number>): Promise<void> {
    const fresh = Int32Array.from(new Set([...features].filter((j) => !this.has(j)))).sort();
    if (fresh.length === 0) return;
    this.#reserve(this.count + fresh.length);
    const from = this.count * this.#n;
    await normalised(this.#design, fresh, this.values.subarray(from, from + fresh.length * this.#n), this.#design);
    for (const j of fresh) {
      this.slotOf[j] = this.count;
      this.features[this.count++] = j;
    }
  }

  /** Forgets every feature but those given. */
  async keep(features: Iterable<number>): Promise<void> {
    const kept = Int32Array.from(new Set(features), (j) => this.slotOf[j])
      .filter((slot) => slot >= 0)
      .sort();
    for (let slot = 0; slot < this.count; slot++) this.slotOf[this.features[slot]] = -1;
    const [n, K] = [this.#n, this.classes];
    for (const [to, from] of kept.entries()) {
      this.values.copyWithin(to * n, from * n, (from + 1) * n);
      this.weights.copyWithin(to * K, from * K, (from + 1) * K);
      this.previous.copyWithin(to * K, from * K, (from + 1) * K);
      this.active[to] = this.active[from];
      this.features[to] = this.features[from];
      this.slotOf[this.features[to]] = to;
    }
    for (const w of [this.weights, this.previous]) w.fill(0, kept.length * K, this.count * K);
    this.active.fill(0, kept.length, this.count);
    this.count = kept.length;
  }

  /** Sets the weights of one slot. */
  set(slot: number, row: Floats): void {
    this.weights.set(row, slot * this.classes);
    let any = 0;
    for (let k = 0; k < row.length; k++) if (row[k] !== 0) any = 1;
    this.active[slot] = any;
  }

  /** Sets every weight to zero. */
  clear(): void {
    this.weights.fill(0, 0, this.count * this.classes);
    this.active.fill(0, 0, this.count);
  }

  /** Keeps the current weights as those of the lambda before. */
  remember(): void {
    this.previous.set(this.weights);
  }

  #reserve(count: number): void {
    if (count <= this.features.length) return;
    const capacity = Math.min(this.slotOf.length, Math.max(count, Math.ceil(1.5 * this.features.length), 256));
    const grow = <T extends Floats | Int32Array | Uint8Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    this.features = grow(this.features, new Int32Array(capacity));
    this.values = grow(this.values, floats(this.precision, capacity * this.#n));
    this.weights = grow(this.weights, floats(this.precision, capacity * this.classes));
    this.previous = grow(this.previous, floats(this.precision, capacity * this.classes));
    this.active = grow(this.active, new Uint8Array(capacity));
  }

  /** Correlations of every slot with `residual` (n, K): (count) norms or (count, K) values. */
  async correlations(engine: Engine, residual: Floats, norm: CorrelationNorm): Promise<Floats> {
    if (this.count === 0) return floats(this.precision, 0);
    const n = this.#n;
    const { precision, classes } = this;
    const program = await programFor(engine, `pool ${precision} ${norm} ${classes}`, () =>
      correlationGraph({ precision, norm, classes }),
    );
    countMacs(engine, this.count * n * classes);
    const { c } = await program.run({
      x: tensor([this.count, n], this.values.subarray(0, this.count * n)),
      r: tensor([n, classes], residual),
      scale: tensor([1, 1], floats(precision, 1).fill(1)),
    });
    return c.data as Floats;
  }
}
