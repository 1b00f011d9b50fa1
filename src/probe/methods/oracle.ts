/** Taps one at a time: alone, and added to the last layer. The best of them by test accuracy is the oracle. */

import { type LinearModel, predictLogits, probabilities } from '../../solver/index.js';
import { accuracy, topClasses } from '../../stats/index.js';
import { fitL2, sumGrams, TAP_TOLERANCE, Tally, validateL2 } from '../cross-validation.js';
import { type Examples, featuresOfBlock, lastTap } from '../task.js';
import { linear } from './l2.js';
import { type Fit, foldGram, type Method, type MethodContext } from './method.js';

export interface TapAccuracy {
  readonly alias: string;
  /** Cross-validated on the training rows, at the penalty that linear chose. */
  readonly alone: number;
  readonly added: number;
  /** On the test set, when there is one. */
  readonly testAlone?: number;
  readonly testAdded?: number;
}

function linearFit(context: MethodContext): Promise<Fit> {
  return context.shared.once('fit linear', () => linear.fit(context));
}

async function probeOn(context: MethodContext, blocks: readonly number[], l2: number): Promise<LinearModel> {
  const { engine, train, classes, designs } = context;
  const { matrix, labels } = train;
  const features = Int32Array.from(
    [...blocks].sort((a, b) => a - b).flatMap((b) => Array.from(featuresOfBlock(matrix, b))),
  );
  return (await fitL2(engine, await designs.get(matrix), features, labels, classes, l2, TAP_TOLERANCE)).model;
}

function blockGram(context: MethodContext, block: number, rows?: readonly number[]): Promise<Float32Array> {
  const { matrix } = context.train;
  return foldGram(context, `tap ${block}`, matrix, featuresOfBlock(matrix, block), rows);
}

/** Accuracy of every tap alone and added to the last, at one l2 penalty. */
export async function tapAccuracies(context: MethodContext, test: Examples | undefined): Promise<TapAccuracy[]> {
  const { engine, train, classes, folds, taps } = context;
  const { matrix, labels } = train;
  const l2 = (await linearFit(context)).tuned.l2 as number;
  const last = lastTap(taps);
  const results: TapAccuracy[] = [];
  for (const [b, tap] of taps.entries()) {
    context.progress(`tap ${tap.alias} (${b + 1} of ${taps.length})`);
    const figure = async (blocks: readonly number[]) => {
      const tally = new Tally();
      for (const fold of folds) {
        const gram = sumGrams(await Promise.all(blocks.map((i) => blockGram(context, i, fold.train))));
        await validateL2(engine, gram, matrix.rows, fold, labels, classes, [l2], [tally]);
      }
      return tally.row({}).accuracy;
    };
    const tested = async (blocks: readonly number[]) => {
      if (!test) return undefined;
      const model = await probeOn(context, blocks, l2);
      return accuracy(test.labels, topClasses(await predictLogits(engine, model, test.matrix), classes));
    };
    const both = b === last ? [last] : [last, b];
    const [alone, added, testAlone, testAdded] = [
      await figure([b]),
      await figure(both),
      await tested([b]),
      await tested(both),
    ];
    results.push({
      alias: tap.alias,
      alone,
      added,
      ...(testAlone === undefined ? {} : { testAlone }),
      ...(testAdded === undefined ? {} : { testAdded }),
    });
  }
  return results;
}

export interface TapPrediction {
  readonly alias: string;
  /** Class that a probe on this tap predicts for every example. */
  readonly alone: Int32Array;
  /** The same for a probe on this tap and the last layer. */
  readonly added?: Int32Array;
}

/**
 * What every tap by itself says of `examples`, whose labels are not read: one probe per tap at the penalty that linear
 * chose, without cross-validation.
 * @param added also probe each tap together with the last layer
 */
export async function tapPredictions(
  context: MethodContext,
  examples: Examples,
  added: boolean,
): Promise<TapPrediction[]> {
  const { engine, classes, taps } = context;
  const l2 = (await linearFit(context)).tuned.l2 as number;
  const last = lastTap(taps);
  const predict = async (blocks: readonly number[]) =>
    topClasses(await predictLogits(engine, await probeOn(context, blocks, l2), examples.matrix), classes);
  const results: TapPrediction[] = [];
  for (const [b, { alias }] of taps.entries()) {
    context.progress(`tap ${alias} (${b + 1} of ${taps.length})`);
    const alone = await predict([b]);
    results.push({ alias, alone, ...(added ? { added: b === last ? alone : await predict([last, b]) } : {}) });
  }
  return results;
}

export const oracle: Method = {
  name: 'oracle',
  title: 'last layer and the one extra tap that is best on the TEST set',
  peeks: true,
  fit: async (context) => {
    const { engine, taps, peek, classes } = context;
    const last = lastTap(taps);
    const l2 = (await linearFit(context)).tuned.l2 as number;
    let best: { block: number; right: number; model: LinearModel } | undefined;
    for (const [b, tap] of taps.entries()) {
      if (b === last && taps.length > 1) continue;
      context.progress(`oracle: tap ${tap.alias}`);
      const model = await probeOn(context, b === last ? [b] : [last, b], l2);
      const right = peek
        ? accuracy(peek.labels, topClasses(await predictLogits(engine, model, peek.matrix), classes))
        : 0;
      if (!best || right > best.right) best = { block: b, right, model };
    }
    const { block, model } = best as NonNullable<typeof best>;
    return {
      probabilities: async (examples) => probabilities(await predictLogits(engine, model, examples.matrix), classes),
      model,
      tuned: { l2, tap: block },
      grid: [],
      path: [],
      converged: true,
      notes: [
        `chosen by test accuracy: the extra tap is '${taps[block]?.alias}'; an upper bound for adding one tap, not a result`,
      ],
    };
  },
};
