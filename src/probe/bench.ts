/** What runs on the same features share: how they are normalised, and the work that several methods need. */
import { canonicalJson } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { FeatureMatrix } from '../solver/index.js';
import { Memo, type MethodContext } from './context.js';
import type { ProbeOptions } from './options.js';
import type { Labelled } from './task.js';
import type { TuningFold } from './tuning/folds.js';
import { Designs, weighBy } from './tuning/grams.js';

/** One run after another on one task: what a run finds done before it is as it would be without the others. */
export class ProbeBench {
  readonly #shared = new WeakMap<FeatureMatrix, Map<string, Pick<MethodContext, 'designs' | 'memo'>>>();

  /** For runs with these options on these rows. Analysis of finished fits is not shared, so its options do not matter. */
  of(
    engine: Engine,
    { matrix, labels }: Labelled,
    options: ProbeOptions,
    folds: readonly TuningFold[],
  ): Pick<MethodContext, 'designs' | 'memo'> {
    const { leaveOut: _, repetitions: __, ...decide } = options;
    const own = this.#shared.get(matrix) ?? new Map<string, Pick<MethodContext, 'designs' | 'memo'>>();
    this.#shared.set(matrix, own);
    const key = canonicalJson({ decide, folds });
    const standard = options.normalisation.includes('standard');
    const shared = own.get(key) ?? {
      designs: new Designs(engine, standard, weighBy(labels, options)),
      memo: new Memo(),
    };
    own.set(key, shared);
    return shared;
  }
}
