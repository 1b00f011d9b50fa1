/** Models that toehold wrote for TensorFlow.js, run by TensorFlow.js itself. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { float32, type Tensor } from '../../src/ir/index.js';

/** @param dims of the image as the page gives it */
export async function predictByTfjs(path: string, dims: readonly number[], data: Float32Array) {
  const json = JSON.parse(readFileSync(path, 'utf8')) as tf.io.ModelJSON;
  const files = json.weightsManifest.flatMap((group) => group.paths.map((p) => readFileSync(join(dirname(path), p))));
  const whole = Buffer.concat(files);
  const weightData = whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length) as ArrayBuffer;
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  const artifacts = { ...json, weightSpecs, weightData };
  const model = new GraphModel({ load: async () => artifacts });
  await model.load();
  const names = Object.keys((json.signature as { outputs: object }).outputs);
  const outputs = await model.executeAsync(tf.tensor(data, [...dims]), names);
  const results: Record<string, Tensor> = {};
  for (const [i, tensor] of [outputs].flat().entries()) {
    results[names[i] as string] = float32(tensor.shape, (await tensor.data()) as Float32Array);
  }
  return results;
}
