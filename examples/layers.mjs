// Which layers know the task? Head2Toe keeps features from all of them and says where they sit; one file deploys it.
import { writeFile } from 'node:fs/promises';
import { extract, fit, export as save } from 'toehold';
import { renderSvg, standalone } from 'toehold/report';
import { drawnImages } from 'toehold/study';

const { images, labels } = drawnImages('orientation', 'train', 160);
const features = await extract('assets/demo/figures.onnx', images, { taps: ['*.out', 'features'], pool: 'target:256' });
const probe = await fit(features, labels, { method: 'head2toe', folds: 3, fractions: [0.05] });
const values = features.taps.map(({ alias }) => ({
  layer: alias,
  kept: probe.selected.filter(({ tap }) => tap === alias).length,
}));
for (const { layer, kept } of values) console.log(layer, kept);
console.log((await save(probe, process.argv[3])).length, 'bytes, from the pixels of an image to probabilities');
const encoding = {
  y: { field: 'layer', type: 'nominal', sort: null },
  x: { field: 'kept', type: 'quantitative', title: 'features kept' },
};
const figure = standalone({ background: 'white', width: 360, data: { values }, mark: 'bar', encoding });
if (process.argv[2]) await writeFile(process.argv[2], await renderSvg(figure));
