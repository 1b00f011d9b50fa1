// Where is what a task needs? A probe on each layer by itself, on two tasks: one like the network's own, one unlike it.
import { writeFile } from 'node:fs/promises';
import { extract, fit, load } from 'toehold';
import { renderSvg, standalone } from 'toehold/report';
import { drawnImages } from 'toehold/study';

const model = await load('assets/demo/figures.onnx');
const values = [];
for (const task of ['unseen-figures', 'position']) {
  const [train, test] = [drawnImages(task, 'train', 180), drawnImages(task, 'test', 180)];
  const options = { taps: ['*.out', 'features'], pool: 'target:256' };
  const [X, unseen] = [await extract(model, train.images, options), await extract(model, test.images, options)];
  for (const { alias: layer } of X.taps) {
    const probe = await fit(X.tap(layer), train.labels, { method: 'all-ridge' });
    const { accuracy, interval } = await probe.score(unseen.tap(layer), test.labels);
    values.push({ task, layer, accuracy, low: interval[0], high: interval[1] });
    console.log(task, layer, accuracy.toFixed(2));
  }
}
const x = { field: 'layer', type: 'ordinal', sort: null, axis: { labelAngle: 0 } };
const color = { field: 'task', type: 'nominal' };
const y = { field: 'accuracy', type: 'quantitative', title: 'test accuracy, 95 % interval', scale: { domain: [0, 1] } };
const marks = [
  { mark: { type: 'area', opacity: 0.15 }, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color } },
  { mark: { type: 'line', point: true }, encoding: { x, y, color } },
];
const figure = standalone({ background: 'white', width: 480, height: 220, data: { values }, layer: marks });
if (process.argv[2]) await writeFile(process.argv[2], await renderSvg(figure));
