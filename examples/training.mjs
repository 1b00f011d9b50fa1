// What is pretraining worth? The same network and steps, from the weights that are there and from fresh ones.
import { writeFile } from 'node:fs/promises';
import { finetune, load } from 'toehold';
import { renderSvg, standalone } from 'toehold/report';
import { drawnImages } from 'toehold/study';

const [train, test] = [drawnImages('orientation', 'train', 160), drawnImages('orientation', 'test', 160)];
const model = await load('assets/demo/figures.onnx', { threads: 1 });
const values = [];
for (const treatment of ['finetune', 'scratch']) {
  const options = { treatment, epochs: 8, batch: 16, learningRate: 0.05 };
  const trained = await finetune(model, train.images, train.labels, options);
  for (const { epoch, loss } of trained.epochs) values.push({ treatment, epoch, loss });
  console.log(treatment, (await trained.score(test.images, test.labels)).accuracy.toFixed(2));
}
const encoding = {
  x: { field: 'epoch', type: 'ordinal', axis: { labelAngle: 0 } },
  y: { field: 'loss', type: 'quantitative', title: 'training loss' },
  color: { field: 'treatment', type: 'nominal' },
};
const mark = { type: 'line', point: true };
const figure = standalone({ background: 'white', width: 420, height: 220, data: { values }, mark, encoding });
if (process.argv[2]) await writeFile(process.argv[2], await renderSvg(figure));
