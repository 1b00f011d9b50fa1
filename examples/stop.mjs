// Long work says how far it is, and stops when it is told to.
import { extract, load, UserError } from 'toehold';

const model = await load('assets/demo/figures.onnx');
const images = Array.from({ length: 400 }, (_, i) => ({
  data: new Uint8Array(64 * 64).fill(i % 256),
  shape: [64, 64],
}));
const controller = new AbortController();
const onProgress = ({ done, total }) => {
  console.log(`${done} of ${total}`);
  if (done >= total / 2) controller.abort();
};
const options = { batch: 100, signal: controller.signal, onProgress };
await extract(model, images, options).catch((error) => console.log(error.name));
await extract(model, images, { taps: 'nowhere' }).catch((error) =>
  console.log(error instanceof UserError, error.message),
);
