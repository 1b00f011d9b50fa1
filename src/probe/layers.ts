/**
 * Taps one at a time: a probe on each tap alone, and on each with the last layer. Each probe's l2 penalty is its own: wide
 * and narrow taps, early and late ones need different ones.
 */
import { Random } from '../base/index.js';
import type { LinearModel } from '../solver/index.js';
import type { MethodContext } from './context.js';
import { concluded } from './fitting/conclusion.js';
import { settle } from './fitting/l2.js';
import { featuresOfBlock, lastTap } from './task.js';
import { chooserBy, type Estimate } from './tuning/choice.js';
import { sumGrams } from './tuning/grams.js';
import { FoldProbes, falling, fitL2, TAP_TOLERANCE } from './tuning/probes.js';
import { asTable, type FoldFeatures, FoldSources } from './tuning/sources.js';
import { Tally, type TuningRow } from './tuning/tally.js';

/** A probe on the features of one tap, or of one tap and the last layer. */
export interface TapFit {
  readonly model: LinearModel;
  readonly validation: TuningRow;
  /** What to expect of it on unseen examples. */
  readonly estimate: Estimate;
  /** What its logits are divided by before the softmax. */
  readonly temperature?: number | undefined;
  readonly l2: number;
  readonly converged: boolean;
}

export interface AloneFits {
  readonly alias: string;
  readonly alone: TapFit;
}

export interface LayerFits extends AloneFits {
  readonly withLast: TapFit;
}

/**
 * The probe of every tap alone.
 * @param most features of a tap that its probe may use, drawn at random; by default all, made once for whoever asks
 */
export function aloneFits(context: MethodContext, most?: number): Promise<AloneFits[]> {
  return most === undefined ? context.memo.once(wholeAlone, context) : makeAlone(context, most);
}
const wholeAlone = (context: MethodContext) => makeAlone(context);

/** Both probes of every tap; see aloneFits. */
export function layerFits(context: MethodContext, most?: number): Promise<LayerFits[]> {
  return most === undefined ? context.memo.once(wholeLayers, context) : makeLayers(context, most);
}
const wholeLayers = (context: MethodContext) => makeLayers(context);

async function makeAlone(context: MethodContext, most?: number): Promise<AloneFits[]> {
  const results: AloneFits[] = [];
  for (const [block, { alias }] of context.taps.entries()) {
    context.progress(`tap ${alias} (${block + 1} of ${context.taps.length})`);
    results.push({ alias, alone: await fitTap(context, [tapSources(context, block, most)]) });
  }
  return results;
}

async function makeLayers(context: MethodContext, most?: number): Promise<LayerFits[]> {
  const fits = await aloneFits(context, most);
  const last = lastTap(context.taps);
  const ofLast = tapSources(context, last, most);
  const results: LayerFits[] = [];
  for (const [block, fit] of fits.entries()) {
    context.progress(`tap ${fit.alias} with the last layer (${block + 1} of ${fits.length})`);
    const withLast = block === last ? fit.alone : await fitTap(context, [ofLast, tapSources(context, block, most)]);
    results.push({ ...fit, withLast });
  }
  return results;
}

/** The tap's features, or of a wide tap a random choice, by the seed and the tap's name. */
function tapSources({ train, taps, options, designs }: MethodContext, block: number, most = Infinity): FoldSources {
  const all = featuresOfBlock(train.matrix, block);
  const random = new Random(options.seed, 'tap features', taps[block]?.alias ?? block);
  const chosen = most < all.length ? Int32Array.from(random.permutation(all.length).slice(0, most)).sort() : undefined;
  return new FoldSources(designs, train.matrix, chosen ? chosen.map((i) => all[i] as number) : all);
}

/** How much validation log loss may rise, and how often in a row, before weaker penalties are given up. */
const RISE = 1.002;
const PATIENCE = 2;

async function fitTap(context: MethodContext, parts: readonly FoldSources[]): Promise<TapFit> {
  const { engine, train, classes, designs } = context;
  const { matrix, labels } = train;
  const indices = Int32Array.from(parts.flatMap((part) => Array.from(part.indices ?? []))).sort();
  const table = new FoldSources(designs, matrix, indices);
  const features: FoldFeatures = {
    matrix,
    indices: () => indices,
    async source(fold) {
      if (asTable(indices.length, fold)) return table.get(fold);
      return { gram: sumGrams(await Promise.all(parts.map((part) => part.gram(fold)))) };
    },
  };
  const lowestLoss = chooserBy({ ...context.options, choose: 'log-loss' });
  const rows = await settle(context, await comparePenalties(context, features), features, lowestLoss);
  const validation = lowestLoss(rows);
  const { l2 } = validation.settings as { l2: number };
  const design = await designs.get(matrix);
  const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2, tolerance: TAP_TOLERANCE });
  const { estimate, temperature } = concluded(context, rows, validation, lowestLoss);
  return {
    model,
    validation,
    estimate,
    temperature,
    l2,
    converged: validation.converged && converged,
  };
}

/** Penalties from the strongest down, until weaker ones only lose. */
async function comparePenalties(
  { train, classes, folds, options, designs }: MethodContext,
  { source }: FoldFeatures,
): Promise<TuningRow[]> {
  const { labels } = train;
  const probes: FoldProbes[] = [];
  for (const [f, fold] of folds.entries()) {
    probes.push(new FoldProbes({ designs, source: await source(fold, f), fold, labels, classes }));
  }
  const rows: TuningRow[] = [];
  let risen = 0;
  for (const l2 of falling(options.l2)) {
    const tally = new Tally(options);
    for (const probe of probes) await probe.fit(l2, tally);
    const row = tally.row({ l2 });
    const best = Math.min(...rows.map((r) => r.logLoss));
    risen = row.logLoss > RISE * best ? risen + 1 : 0;
    rows.push(row);
    if (risen >= PATIENCE) break;
  }
  return rows;
}
