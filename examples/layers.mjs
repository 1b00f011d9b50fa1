// Which layers know the task? Head2Toe picks features from all of them and says where they sit; one file deploys it.
import { extract, fit, export as save } from 'toehold';

const y = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 'upright' : 'lying'));
const bars = (place, period) => Array.from({ length: 4096 }, (_, k) => (place(k) % period < 3 ? 220 : 30));
const pixels = (label, i) => bars((k) => (label === 'upright' ? k % 64 : k >> 6), 6 + (i % 5));
const images = y.map((label, i) => ({ data: pixels(label, i), shape: [64, 64] }));
const features = await extract('assets/demo/figures.onnx', images, { pool: 'target:64' });
const probe = await fit(features, y, { method: 'head2toe', folds: 3, fractions: [0.01, 0.05] });
for (const { tap, channel, score } of probe.selected.slice(0, 5)) console.log(tap, channel, score);
console.log((await save(probe, process.argv[2])).length, 'bytes, from the pixels of an image to probabilities');
