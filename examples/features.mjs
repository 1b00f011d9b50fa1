// Features of images in memory: pixels as a canvas has them in, an array of numbers for every layer out.
import { extract, load } from 'toehold';

const model = await load(process.argv[2] ?? 'assets/demo/figures.onnx');
const grey = (level) => ({ data: new Uint8ClampedArray(64 * 64 * 4).fill(level), width: 64, height: 64 });
const features = await extract(model, [grey(0), grey(128), grey(255)]);
for (const { alias, kind } of features.taps) console.log(alias, kind, features.tap(alias).shape);
