// Learn a number of each image in place of a class: how wide its stripes are.
import { finetune } from 'toehold';

const widths = Array.from({ length: 32 }, (_, i) => 2 + 2 * (i % 4));
const stripes = (width, i) => Array.from({ length: 4096 }, (_, k) => (((k + i) / width) % 2 < 1 ? 40 : 200));
const images = widths.map((width, i) => ({ data: stripes(width, i), shape: [64, 64] }));
const options = { target: 'regression', epochs: 12, batch: 8 };
const trained = await finetune('assets/demo/figures.onnx', images, widths, options);
const said = (await trained.predict(images.slice(0, 4))).map((width) => width.toFixed(1));
console.log((await trained.score(images, widths)).r2.toFixed(2), said);
