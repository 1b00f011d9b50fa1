/** The log-linear pool of linear probes: their logits, added up with weights that suit the validation answers. */
import { stratifiedFolds } from '../../data/index.js';
import { sumOfModels } from '../../solver/index.js';
import { fitPoolWeights } from '../../stats/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import type { LinearFit, Tuned } from '../methods/method.js';
import { chooserBy, excessOf, movedBy } from '../tuning/choice.js';
import { classShares, Tally } from '../tuning/tally.js';
import { type Candidate, type Candidates, candidatesOf } from './candidates.js';
import { concluded } from './conclusion.js';
import { linearFit } from './l2.js';

/** Share of the weights below which a probe is left out. */
const NEGLIGIBLE = 1e-3;

/** The probes, and their sum: of these only the ones that it needs are fitted. */
export interface Stacked extends Tuned, Candidates {}

export async function stacked(context: MethodContext): Promise<Stacked> {
  const { engine, classes: K, folds, options } = context;
  const { candidates, notes } = await candidatesOf(context);
  const answers = candidates.map(({ validation }) => validation.answers);
  const logits = answers.map(({ logits: z = [], temperature = 1 }) => Float32Array.from(z, (v) => v / temperature));
  const { labels } = answers[0] as { labels: Int32Array };
  const weights = options.classWeight === 'balanced' ? classShares(labels) : undefined;
  const problem = { labels, classes: K, weights };
  // What an example is judged by has weights from other examples.
  const sums = new Float64Array(labels.length * K);
  for (const rows of partsOf(context, labels)) {
    const own = new Set(rows);
    const a = fitPoolWeights(logits, { ...problem, rows: Array.from(labels.keys()).filter((i) => !own.has(i)) });
    for (const row of rows) {
      for (let at = row * K; at < (row + 1) * K; at++) {
        sums[at] = logits.reduce((sum, z, m) => sum + (a[m] as number) * (z[at] as number), 0);
      }
    }
  }
  const tally = new Tally(options);
  let from = 0;
  for (const { validation } of folds) {
    const to = from + validation.length;
    tally.add(sums.subarray(from * K, to * K), labels.subarray(from, to), K);
    from = to;
  }
  const row = tally.row({});
  const found = fitPoolWeights(logits, problem);
  const total = found.reduce((sum, a) => sum + a, 0);
  const shares = candidates.flatMap((own, m) => {
    const weight = found[m] as number;
    return weight < NEGLIGIBLE * total ? [] : [{ ...own, weight, share: weight / total }];
  });
  const finish = async (): Promise<LinearFit> => {
    const kept: (Share & { readonly weight: number; readonly fit: LinearFit })[] = [];
    for (const { fit: finished, ...own } of shares) kept.push({ ...own, fit: await finished() });
    const model = sumOfModels(
      kept.map(({ fit }) => fit.model),
      kept.map(({ fit, weight }) => weight / (fit.temperature ?? 1)),
    );
    const conclusion = concluded(context, [row], row, chooserBy(options));
    return linearFit(engine, model, {
      tuned: Object.fromEntries(kept.map(({ method, share }) => [method.card.id, share])),
      ...conclusion,
      // Each probe's settings were chosen on the same examples.
      estimate: kept.reduce(
        (sum, { fit, share }) => movedBy(sum, excessOf(fit.estimate, fit.validation), share),
        conclusion.estimate,
      ),
      grid: [row],
      converged: kept.every(({ fit }) => fit.converged),
      notes: [sharesNote(kept), ...notes],
    });
  };
  return { candidates, notes, validation: row, finish };
}

/** Validation examples that are judged together: those of a fold, or parts of the one validation split. */
function partsOf(context: MethodContext, labels: Int32Array): number[][] {
  const { folds, options } = context;
  if (folds.length > 1) {
    let from = 0;
    return folds.map(({ validation }) => validation.map(() => from++));
  }
  const { folds: k, seed } = options;
  const parts = stratifiedFolds(
    { labels: [...labels], groups: validationGroups(context) },
    { k, seed: `${seed}/stack`, rare: 'train' },
  );
  // What stands in no part is judged with the first.
  const placed = new Set(parts.flatMap((part) => part.validation));
  const rest = Array.from(labels.keys()).filter((i) => !placed.has(i));
  return parts.map(({ validation }, p) => (p === 0 ? [...validation, ...rest] : [...validation]));
}

interface Share extends Pick<Candidate, 'method'> {
  readonly share: number;
}

function sharesNote(kept: readonly Share[]): string {
  const shares = [...kept].sort((a, b) => b.share - a.share);
  return `weights of probes: ${shares.map(({ method, share }) => `${method.card.id} ${(100 * share).toFixed(0)} %`).join(', ')}`;
}
