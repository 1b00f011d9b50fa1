/** Small studies of real values and of several labels: how much red and green pictures have. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeModel } from '../../../src/graph/index.js';
import { demoNetwork } from '../../../src/study/demo/backbone.js';
import { side } from '../../../src/study/demo/draw.js';
import { drawExamples, targetTasks } from '../../../src/study/demo/tasks.js';

/** model.onnx and a folder of pictures with two tables, `amounts.csv` of numbers and `names.csv` of sets of labels. */
export async function writeValuedData(folder: string, train = 54, test = 36): Promise<void> {
  const [task] = targetTasks as [(typeof targetTasks)[number]];
  const amounts = ['file,label,split'];
  const names = [...amounts];
  await mkdir(join(folder, 'pictures'), { recursive: true });
  await writeFile(join(folder, 'model.onnx'), writeModel(demoNetwork(12, 1)));
  for (const [split, n] of [
    ['train', train],
    ['test', test],
  ] as const) {
    for (const [i, { pixels }] of drawExamples(task, split, n, 7).entries()) {
      const file = `${split}${i}.png`;
      await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toFile(join(folder, 'pictures', file));
      const [red, green] = [0, 1].map((c) => pixels.filter((_, at) => at % 3 === c).reduce((a, b) => a + b, 0));
      const levels = [red, green].map((sum = 0) => Number((sum / (255 * side * side)).toFixed(3)));
      const own = ['red', 'green'].filter((_, c) => (levels[c] as number) > 0.5);
      amounts.push(`${file},${levels.join('|')},${split}`);
      names.push(`${file},${own.join('|') || '|'},${split}`);
    }
  }
  await writeFile(join(folder, 'pictures', 'amounts.csv'), `${amounts.join('\n')}\n`);
  await writeFile(join(folder, 'pictures', 'names.csv'), `${names.join('\n')}\n`);
}

export const valuedConfig = `protocol: head2toe
lite: true
backbones: {small: {model: model.onnx, preprocess: cifar, pool: 'target:64'}}
tasks:
  amounts: {data: pictures/amounts.csv, target: regression}
  names: {data: pictures/names.csv, target: multilabel}
methods: [linear, all-ridge, tap-ridge]
probe: {folds: 3}
`;
