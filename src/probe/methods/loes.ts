/**
 * LOES (arXiv 2605.23033, ICML 2026): three blocks whose outputs are chosen one after the other by a score (see
 * solver/greedy-layers.ts), and ridge regression on them side by side, where the paper trains adapters.
 *
 * Each fold chooses among its own training rows: as published from a fifth of them, drawn by chance; with scale-free terms from
 * all of them, at most `MOST`. The score reads features as they are.
 */
import { Random } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import { greedyLayers, type LayerProducts, products } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { tunedRidge, validateRidge } from '../fitting/ridge.js';
import { blockEnds, featuresOfBlock } from '../task.js';
import type { Fit, ProbeMethod } from './method.js';

/** K: blocks that are chosen. */
const LAYERS = 3;
/** Share of the training rows that published scores are taken from, and the most rows of any. */
const SHARE = 0.2;
const MOST = 1000;

interface Chosen {
  /** Taps, in the order of their choice. */
  readonly taps: readonly number[];
  readonly features: Int32Array;
  /** Of the first choice, by tap of `candidates`. */
  readonly scores: Float64Array;
  readonly rows: number;
}

/** The outputs of blocks; all taps but the logits where none is known as one. */
function candidatesOf({ taps }: MethodContext): number[] {
  const ends = blockEnds(taps);
  return ends.length > 0 ? ends : [...taps.keys()].filter((t) => taps[t]?.alias !== 'logits');
}

/** @param stream names the rows among the streams of random numbers */
async function choose(context: MethodContext, rows: readonly number[], stream: string): Promise<Chosen> {
  const { engine, train, classes, options } = context;
  const { matrix, labels } = train;
  const scaleFree = options.loes === 'scale-free';
  const random = new Random(options.seed, 'loes', stream);
  const count = Math.min(MOST, scaleFree ? rows.length : Math.max(2, Math.round(SHARE * rows.length)));
  const own =
    count < rows.length
      ? random
          .shuffle([...rows])
          .slice(0, count)
          .sort((a, b) => a - b)
      : rows;
  const multiply = await products(engine);
  const candidates = candidatesOf(context);
  const layers: LayerProducts[] = [];
  for (const tap of candidates) {
    const all = featuresOfBlock(matrix, tap);
    const values = await matrix.gather(all, new Float32Array(all.length * matrix.rows));
    const data = new Float64Array(all.length * own.length);
    for (let j = 0; j < all.length; j++) {
      const shift = matrix.shift[all[j] as number] as number;
      for (const [i, row] of own.entries()) {
        data[j * own.length + i] = (values[j * matrix.rows + row] as number) + shift;
      }
    }
    const columns = { rows: all.length, columns: own.length, data };
    layers.push({ gram: await multiply(columns, columns, true), features: all.length });
  }
  const found = await greedyLayers(
    engine,
    layers,
    { labels: own.map((row) => labels[row] as number), classes },
    { most: LAYERS, scaleFree, random: (n) => random.integer(n) },
  );
  const taps = found.chosen.map((i) => candidates[i] as number);
  const features = Int32Array.from(taps.flatMap((tap) => [...featuresOfBlock(matrix, tap)])).sort();
  return { taps, features, scores: found.scores[0] as Float64Array, rows: own.length };
}

export const loes: ProbeMethod = {
  card: {
    id: 'loes',
    label: 'LOES',
    plain: 'ridge regression on three chosen blocks',
    advice: 'choose three blocks by LOES and fit ridge regression to them',
    title: 'ridge regression on three blocks that LOES chooses',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#5b6b1f',
    dark: '#c3d27a',
    shape: shapes.bar,
  },
  seconds: 20,
  fit: async (context): Promise<Fit> => {
    const { train, taps, folds, options, progress } = context;
    const own: Chosen[] = [];
    for (const [f, fold] of folds.entries()) {
      progress(`blocks, fold ${f + 1} of ${folds.length}`);
      own.push(await choose(context, fold.train, `fold ${f}`));
    }
    progress('blocks, all training rows');
    const all = await choose(context, Array.from(train.labels.keys()), 'all');
    const columns = { all: all.features, fold: (f: number) => (own[f] as Chosen).features };
    const fit = await tunedRidge(context, columns, await validateRidge(context, columns));
    const names = (chosen: Chosen) => chosen.taps.map((t) => taps[t]?.alias).join(', ');
    const same = own.filter((chosen) => [...chosen.taps].sort().join() === [...all.taps].sort().join()).length;
    return {
      ...fit,
      notes: [
        `chose ${names(all)} by ${options.loes} terms from ${all.rows} training examples; ${same} of ${folds.length} folds chose the same`,
        ...fit.notes,
      ],
    };
  },
};
