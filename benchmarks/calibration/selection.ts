/** Few features carry signal: how many a group lasso selects rightly, and how many wrongly, in halves of the examples. */
import { Random } from '../../src/base/index.js';
import type { Engine } from '../../src/engine/index.js';
import { FeatureMatrix, fitDesign, solvePath } from '../../src/solver/index.js';
import { falseSelectionBound } from '../../src/stats/index.js';

const [n, p, classes, taken, pairs] = [300, 500, 3, 20, 5];
/** Share of the halves from which a feature counts as stable, as in the probe room. */
const threshold = 0.9;

export interface SelectionRates {
  readonly name: string;
  /** Means over draws: of the true features, and of the others, those that are stable. */
  readonly found: number;
  readonly wrong: number;
  /** Upper bound on `wrong` (Shah and Samworth, 2013). */
  readonly bound: number;
  /** Others among as many features chosen once from all examples. */
  readonly wrongInOne: number;
}

/** Among correlated features a copy of a true one is none of those that "carry no signal", and is not counted as wrong. */
export async function selectionRates(engine: Engine, draws: number): Promise<SelectionRates[]> {
  const worlds = [
    { name: `no signal in ${p} features`, strong: 0, correlation: 0 },
    { name: `10 of ${p} carry signal`, strong: 10, correlation: 0 },
    { name: `10 of ${p}, the others correlated by 0.5`, strong: 10, correlation: 0.5 },
  ];
  const rates: SelectionRates[] = [];
  for (const { name, strong, correlation } of worlds) {
    const random = new Random(14, 'selection', name);
    let [found, wrong, bound, wrongInOne] = [0, 0, 0, 0];
    for (let k = 0; k < draws; k++) {
      const { x, y } = sample(random, strong, correlation);
      const matrix = new FeatureMatrix([{ name: 'tap', features: p, data: x }], n);
      const times = new Float64Array(p);
      for (let pair = 0; pair < pairs; pair++) {
        const order = random.permutation(n);
        for (const rows of [order.slice(0, n / 2), order.slice(n / 2)]) {
          for (const j of await select(engine, matrix, y, Int32Array.from(rows).sort())) times[j] = (times[j] ?? 0) + 1;
        }
      }
      times.forEach((count, j) => {
        if (count < threshold * 2 * pairs) return;
        if (j < strong) found++;
        else wrong++;
      });
      bound += falseSelectionBound({ pairs, selected: taken, features: p }, threshold);
      wrongInOne += (await select(engine, matrix, y)).filter((j) => j >= strong).length;
    }
    rates.push({
      name,
      found: found / draws,
      wrong: wrong / draws,
      bound: bound / draws,
      wrongInOne: wrongInOne / draws,
    });
  }
  return rates;
}

/** The features that enter first. */
async function select(engine: Engine, matrix: FeatureMatrix, y: Int32Array, rows?: Int32Array): Promise<number[]> {
  const design = await fitDesign(engine, matrix, rows ? { rows } : {});
  const labels = rows ? rows.map((i) => y[i] ?? 0) : y;
  const { entryLambda } = await solvePath(engine, design, labels, { classes, count: 25, ratio: 0.3 });
  const order = Array.from(entryLambda, (_, j) => j).sort((a, b) => (entryLambda[b] ?? 0) - (entryLambda[a] ?? 0));
  return order.slice(0, taken).filter((j) => (entryLambda[j] ?? 0) > 0);
}

/** Features are normal; class k of an example is drawn by a softmax in which feature j speaks for class j mod K. */
function sample(random: Random, strong: number, correlation: number): { x: Float32Array; y: Int32Array } {
  const x = new Float32Array(n * p);
  const y = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const common = random.normal();
    const logits = new Float64Array(classes);
    for (let j = 0; j < p; j++) {
      const rho = j < strong ? 0 : correlation;
      const value = Math.sqrt(rho) * common + Math.sqrt(1 - rho) * random.normal();
      x[j * n + i] = value;
      if (j < strong) logits[j % classes] = (logits[j % classes] ?? 0) + 1.2 * value;
    }
    const weights = logits.map(Math.exp);
    let left = random.uniform() * weights.reduce((sum, w) => sum + w, 0);
    let k = 0;
    while (k < classes - 1 && left >= (weights[k] ?? 0)) left -= weights[k++] ?? 0;
    y[i] = k;
  }
  return { x, y };
}
