/** A made-up run of networks on data sets: every figure that such a run has. */
import { Random } from '../../src/base/index.js';
import { type RunRecord, recordOf } from '../../src/record/index.js';
import { done, measured, type Task } from './sample.js';

const networks = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta'];
const datasets = ['birds', 'cars', 'food'];
const classes = ['a', 'b', 'c', 'd'];
const n = 200;

/** What a method with this skill says; the same draw for the same name. */
function answers(skill: number, labels: readonly number[], name: string): number[] {
  const random = new Random(name);
  return labels.map((label) => (random.uniform() < skill ? label : random.integer(classes.length)));
}

const labels = Array.from({ length: n }, (_, i) => i % classes.length);

/** A task of the record: better networks transfer better, fine-tuning adds, scratch has its own order. */
function task(network: string, dataset: string): Task {
  const rank = networks.indexOf(network);
  const ease = 0.1 * datasets.indexOf(dataset);
  const skills: Record<string, number> = { logistic: 0.45 + 0.04 * rank + ease, finetune: 0.55 + 0.04 * rank + ease };
  if (rank < 2) skills.scratch = 0.4 + ease;
  const predictions = Object.entries(skills).flatMap(([method, skill]) =>
    (method === 'logistic' ? [0] : [0, 1]).map((seed) => ({
      method,
      seed,
      predicted: answers(skill, labels, `${network} ${dataset} ${method} ${seed}`),
    })),
  );
  const right = (method: string) => {
    const rows = predictions.filter((p) => p.method === method);
    const all = rows.map(({ predicted }) => predicted.filter((p, i) => p === labels[i]).length);
    return all.reduce((a, b) => a + b, 0) / all.length;
  };
  const grid = [0.01, 0.1].flatMap((learningRate) =>
    [0, 1e-5].map((weightDecay, i) => ({ learningRate, weightDecay, epochs: 2, ...(i ? {} : { validation: 0.6 }) })),
  );
  const more = { finetune: { settings: { steps: 80 }, rates: grid }, scratch: { settings: { steps: 80 } } };
  return {
    task: `${dataset} with ${network}`,
    backbone: network,
    dataset,
    target: { kind: 'class', classes },
    examples: { train: 100, test: n },
    cells: Object.keys(skills).map((method) => done(method, right(method), more[method as 'finetune'])),
    testLabels: labels,
    predictions,
    ...(rank === 0
      ? {
          convergence: [10, 20, 40].map((steps) => ({
            steps,
            cells: [done('finetune', 90 + steps / 2), done('scratch', 60 + steps)],
          })),
        }
      : {}),
  };
}

export const networkTasks = (): Task[] => networks.flatMap((network) => datasets.map((d) => task(network, d)));

/** @param tasks those of {@link networkTasks}, or some of them */
export function networkRecord(tasks = networkTasks()): RunRecord {
  return recordOf({
    ...measured(...tasks),
    protocol: 'kornblith',
    networks: networks.map((name, i) => ({
      name,
      // The last one's is not known.
      ...(i < 6 ? { sourceAccuracy: 0.6 + 0.04 * i, source: 'ImageNet' } : {}),
      pretraining: { labelSmoothing: i % 2 === 1, ...(i < 2 ? { dropout: false } : {}) },
    })),
  });
}
