// How many labelled images are enough? Two probes on the same images, fitted to more and more of them.
import { writeFile } from 'node:fs/promises';
import { extract, fit, load } from 'toehold';
import { renderSvg, standalone } from 'toehold/report';
import { drawnImages } from 'toehold/study';

const model = await load('assets/demo/figures.onnx');
const [train, test] = [drawnImages('textures', 'train', 280), drawnImages('textures', 'test', 400)];
const [X, unseen] = [await extract(model, train.images), await extract(model, test.images)];
const values = [];
for (const images of [35, 70, 140, 280]) {
  const rows = Array.from({ length: images }, (_, i) => i);
  const y = rows.map((i) => train.labels[i]);
  for (const method of ['linear', 'all-ridge']) {
    const { accuracy } = await (await fit(X.rows(rows), y, { method, folds: 3 })).score(unseen, test.labels);
    values.push({ images, method, accuracy });
    console.log(images, method, accuracy.toFixed(2));
  }
}
const encoding = {
  x: {
    field: 'images',
    type: 'quantitative',
    scale: { type: 'log', base: 2 },
    axis: { values: [35, 70, 140, 280] },
    title: 'labelled images',
  },
  y: { field: 'accuracy', type: 'quantitative', title: 'test accuracy', scale: { zero: false } },
  color: { field: 'method', type: 'nominal' },
};
const mark = { type: 'line', point: true };
const figure = standalone({ background: 'white', width: 420, height: 220, data: { values }, mark, encoding });
if (process.argv[2]) await writeFile(process.argv[2], await renderSvg(figure));
