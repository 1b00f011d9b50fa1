// How alike are a network's layers? Linear CKA of each pair, debiased: 1 is the same up to turning and scaling.
import { writeFile } from 'node:fs/promises';
import { extract } from 'toehold';
import { renderSvg, standalone } from 'toehold/report';
import { debiasedCka, linearKernel } from 'toehold/stats';
import { drawnImages } from 'toehold/study';

const { images } = drawnImages('unseen-figures', 'train', 120);
const features = await extract('assets/demo/figures.onnx', images);
const kernels = features.taps.map(({ alias }) => [alias, linearKernel(features.tap(alias).data, images.length)]);
const values = kernels.flatMap(([a, K]) => kernels.map(([b, L]) => ({ a, b, cka: debiasedCka(K, L) })));
for (const { a, b, cka } of values) if (a === 'logits' && b !== a) console.log(b, cka.toFixed(2));
const encoding = {
  x: { field: 'a', type: 'nominal', sort: null, title: null },
  y: { field: 'b', type: 'nominal', sort: null, title: null },
  color: { field: 'cka', type: 'quantitative', title: 'CKA', scale: { domain: [0, 1], clamp: true, scheme: 'blues' } },
};
const figure = standalone({ background: 'white', width: 300, height: 300, data: { values }, mark: 'rect', encoding });
if (process.argv[2]) await writeFile(process.argv[2], await renderSvg(figure));
