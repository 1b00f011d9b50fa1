// Learn a number of each image in place of a class: how wide its stripes are, by a probe on features and by fine-tuning.
import { extract, finetune, fit } from 'toehold';

const y = Array.from({ length: 32 }, (_, i) => 2 + 2 * (i % 4));
const stripes = (width, i) => Array.from({ length: 4096 }, (_, k) => (((k + i) / width) % 2 < 1 ? 40 + i : 200));
const [model, images] = ['assets/demo/figures.onnx', y.map((w, i) => ({ data: stripes(w, i), shape: [64, 64] }))];
const probe = await fit(await extract(model, images), y, { target: 'regression', method: 'all-ridge' });
console.log('left out', probe.validation.r2.toFixed(2), probe.validation.mae.toFixed(2));
const trained = await finetune(model, images, y, { target: 'regression', epochs: 12, batch: 8 });
console.log((await trained.predict(images.slice(0, 4))).map((width) => width.toFixed(1)));
