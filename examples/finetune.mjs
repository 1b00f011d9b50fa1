// Fine-tune a network on images in memory, and write what came of it as ONNX.
import { finetune, export as save } from 'toehold';

const y = Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? 'narrow' : 'wide'));
const stripes = (width, i) => Array.from({ length: 4096 }, (_, k) => (((k + i) / width) % 2 < 1 ? 40 : 200));
const images = y.map((label, i) => ({ data: stripes(label === 'wide' ? 8 : 2, i), shape: [64, 64] }));
const trained = await finetune('assets/demo/figures.onnx', images, y, { epochs: 4, batch: 8 });
console.log((await trained.score(images, y)).accuracy, await trained.predict(images.slice(0, 2)));
console.log((await save(trained, process.argv[2])).length, 'bytes');
