import { isDeepStrictEqual as isEqual } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import {
  buildArchitecture,
  float32,
  type Graph,
  type LearnedLayer,
  learnedLayers,
  type Tensor,
  writeModel,
} from '../../src/graph/index.js';
import { imagesInMemory, type TrainResult, train, treatmentNames } from '../../src/transfer/index.js';
import { mergeOptions } from '../../src/transfer/options.js';
import { startNetwork } from '../../src/transfer/start.js';
import { hashConstants } from '../../src/transfer/train.js';
import { copies, layeredForm, planLayers, type Treatment, trainedParameters } from '../../src/transfer/treatment.js';
import { testEngine } from '../support/run.js';
import { bars, classes, preprocess, request, side, smallNet, testAccuracy } from './support.js';

let engine: Engine;
let layers: LearnedLayer[];
let base: TrainResult;
beforeAll(async () => {
  engine = await testEngine();
  layers = learnedLayers(await layeredForm(smallNet(), engine, [2, 3, side, side]));
  base = await train(engine, request());
});

const plan = (t: Treatment) => {
  const { copied, frozen } = planLayers(t, layers);
  return [copied, frozen];
};
const data = (graph: Graph, name: string) => [...((graph.constants.get(name) as Tensor).data as Float32Array)];

describe('the plan of a treatment', () => {
  test('says what is copied and what is frozen, in learned layers', () => {
    expect(layers).toHaveLength(4);
    expect(plan({ name: 'scratch' })).toEqual([0, 0]);
    expect(plan({ name: 'baseB' })).toEqual([0, 0]);
    expect(plan({ name: 'AnB', layers: 2 })).toEqual([2, 2]);
    expect(plan({ name: 'BnB', layers: 3 })).toEqual([3, 3]);
    expect(plan({ name: 'AnB+', layers: 2 })).toEqual([2, 0]);
    expect(plan({ name: 'BnB+', layers: 1 })).toEqual([1, 0]);
    expect(plan({ name: 'random-n', layers: 2 })).toEqual([0, 2]);
    expect(plan({ name: 'preserve', layers: 1, preserve: 2 })).toEqual([3, 1]);
    expect(plan({ name: 'finetune' })).toEqual([3, 0]);
    expect(plan({ name: 'finetune', unfreezeFrom: 'conv3' })).toEqual([3, 2]);
    expect(plan({ name: 'finetune', unfreezeFrom: 'relu2' })).toEqual([3, 1]);
    // A quarter of four is the head alone: one layer more learns in any case.
    expect([0.25, 0.75, 1].map((top) => plan({ name: 'finetune', top }))).toEqual([
      [3, 2],
      [3, 1],
      [3, 0],
    ]);
  });

  test.each<[Treatment, RegExp]>([
    [{ name: 'AnB' }, /treatment AnB needs --layers n, 1 to 3/],
    [{ name: 'AnB', layers: 0 }, /--layers is 0; the network has 4 learned layers with its head, so it must be 1 to 3/],
    [{ name: 'AnB', layers: 4 }, /--layers is 4; .* 1 to 3/],
    [{ name: 'AnB', layers: 1.5 }, /--layers is 1.5/],
    [{ name: 'scratch', layers: 2 }, /treatment scratch takes no --layers/],
    [{ name: 'preserve', layers: 2, preserve: 2 }, /--preserve is 2; above 2 frozen layers it must be 0 to 1/],
    [{ name: 'AnB', layers: 2, preserve: 1 }, /--preserve goes with --treatment preserve/],
    [{ name: 'AnB', layers: 2, unfreezeFrom: 'conv2' }, /--unfreeze-from goes with --treatment finetune/],
    [{ name: 'finetune', unfreezeFrom: 'convv2' }, /no layer or tap 'convv2'; did you mean 'conv2'\?/],
    [{ name: 'AnC' as 'AnB', layers: 2 }, /there is no treatment 'AnC'; did you mean AnB\?/],
  ])('%j is refused', (treatment, message) => {
    expect(() => planLayers(treatment, layers)).toThrow(message);
  });

  test('learning rates and decay by layer and role', () => {
    const options = mergeOptions(undefined, { decayAll: false, biasLrScale: 2, backboneLrScale: 0.1, layerDecay: 0.5 });
    const frozen = { total: 4, copied: 3, frozen: 2 };
    expect(trainedParameters(layers, frozen, options).map((p) => [p.name, p.lrScale, p.decay])).toEqual([
      ['conv3.weight', 0.05, true],
      ['conv3.scale', 0.05, false],
      ['conv3.shift', 0.1, false],
      ['fc.weight', 1, true],
      ['fc.bias', 2, false],
    ]);
  });
});

describe('treatments, trained', () => {
  test('every treatment runs and learns the easy task', async () => {
    for (const name of treatmentNames) {
      const counts = ['BnB', 'AnB', 'BnB+', 'AnB+', 'random-n', 'preserve'].includes(name);
      const copies = name === 'finetune' || (counts && name !== 'random-n');
      const treatment = { name, ...(counts && { layers: 2 }) };
      const result = await train(engine, request({ treatment, ...(copies && { copyFrom: base.model }) }));
      expect(result.failedToTrain, name).toBe(false);
      expect(testAccuracy(result), name).toBeGreaterThan(0.8);
    }
  });

  test('frozen means frozen: weights, norms and running statistics come out as they went in', async () => {
    const names = layers.slice(0, 2).flatMap((l) => l.parameters.map((p) => p.name));
    expect(names).toContain('conv1.mean');
    const before = hashConstants(base.model, names);
    const frozen = await train(engine, request({ treatment: { name: 'AnB', layers: 2 }, copyFrom: base.model }));
    expect(hashConstants(frozen.model, names)).toBe(before);
    expect(frozen.frozenHash).toBe(before);
    expect(data(frozen.model, 'conv3.mean')).not.toEqual(data(base.model, 'conv3.mean'));
    const plus = await train(engine, request({ treatment: { name: 'AnB+', layers: 2 }, copyFrom: base.model }));
    for (const name of names) expect(data(plus.model, name), name).not.toEqual(data(base.model, name));
  });

  test('a frozen prefix that is computed once gives what running it in every step gives', async () => {
    const cell = { treatment: { name: 'AnB', layers: 2 }, copyFrom: base.model } as const;
    const cached = await train(engine, request(cell));
    const options = mergeOptions(undefined, { epochs: 4, batch: 16, learningRate: 0.05, prefixBytes: 0 });
    const full = await train(engine, request({ ...cell, options }));
    expect([cached.cachedBytes, full.cachedBytes]).toEqual([8 * 6 * 6 * 4, 0]);
    cached.epochs.forEach((e, i) => {
      expect(e.loss).toBeCloseTo(full.epochs[i]?.loss as number, 4);
    });
    // On disk, when memory is too small: the same bits.
    const small = mergeOptions(undefined, { epochs: 4, batch: 16, learningRate: 0.05, prefixBytes: 1000 });
    const onDisk = await train(engine, request({ ...cell, options: small }));
    expect(onDisk.epochs).toEqual(cached.epochs);
    expect(Buffer.from(writeModel(onDisk.model))).toEqual(Buffer.from(writeModel(cached.model)));
  });

  test('cells of one seed share what is fresh, and preserve copies more than it freezes', async () => {
    const options = mergeOptions(undefined, { epochs: 1, steps: 1, batch: 16, learningRate: 1e-20 });
    const model = smallNet({ seed: 9 });
    const run = (name: 'AnB' | 'preserve', n: number) =>
      train(engine, request({ model, treatment: { name, layers: n }, copyFrom: base.model, options }));
    const [one, two, more] = [await run('AnB', 1), await run('AnB', 2), await run('preserve', 1)];
    expect(data(one.model, 'conv3.weight')).toEqual(data(two.model, 'conv3.weight'));
    expect(data(one.model, 'conv2.weight')).toEqual(data(model, 'conv2.weight'));
    expect(data(two.model, 'conv2.weight')).toEqual(data(base.model, 'conv2.weight'));
    expect(data(more.model, 'conv2.weight')).toEqual(data(base.model, 'conv2.weight'));
    expect(more.plan).toEqual({ total: 4, copied: 2, frozen: 1 });
  });

  test('random layers that are frozen have norms that know the images', async () => {
    const { model } = await train(engine, request({ treatment: { name: 'random-n', layers: 2 } }));
    const images = bars(64, 1);
    const pixels = new Uint8Array(64 * side * side * 3);
    await images.read(
      Array.from({ length: 64 }, (_, i) => i),
      pixels,
    );
    const input = float32([64, 3, side, side], new Float32Array(pixels.length));
    pixels.forEach((v, at) => {
      const [p, c] = [Math.floor(at / 3), at % 3];
      const [i, place] = [Math.floor(p / side ** 2), p % side ** 2];
      (input.data as Float32Array)[(i * 3 + c) * side ** 2 + place] = (v / 255 - 0.5) / 0.25;
    });
    const program = await engine.compile({ ...model, outputs: [{ name: 'conv1' }, { name: 'conv2' }] });
    const results = await program.run({ image: input });
    await program.dispose();
    for (const name of ['conv1', 'conv2']) {
      const { dims, data: values } = results[name] as Tensor;
      const [n, channels, height, width] = dims as [number, number, number, number];
      const area = height * width;
      for (let c = 0; c < channels; c++) {
        const own = Array.from({ length: n * area }, (_, k) =>
          Number(values[(Math.floor(k / area) * channels + c) * area + (k % area)]),
        );
        const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
        const variance = own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length;
        // Each batch is normalised by itself below, so the second norm's figures are near, not equal.
        expect(Math.abs((data(model, `${name}.mean`)[c] as number) - mean)).toBeLessThan(0.2 * Math.sqrt(variance));
        const ratio = (data(model, `${name}.variance`)[c] as number) / variance;
        expect(Math.abs(ratio - 1)).toBeLessThan(name === 'conv1' ? 0.001 : 0.25);
      }
    }
    // The layers above learn, and theirs follow as in every treatment.
    expect(data(model, 'conv1.weight')).toEqual(data(smallNet(), 'conv1.weight'));
  });

  describe('start from the same weights however the base is given', () => {
    const size = 16;
    const options = mergeOptions('yosinski', { batch: 16 });
    const images = imagesInMemory(new Uint8Array(32 * size * size * 3).fill(99), [size, size], new Int32Array(32));
    const named = (seed: number) =>
      buildArchitecture('caffenet-32', { classes: classes.length, size, seed, init: 'gaussian' });
    /** As a file that was trained says it. */
    const trained = named(5);

    test.each<Treatment>([
      { name: 'BnB+', layers: 3 },
      { name: 'preserve', layers: 2, preserve: 2 },
      { name: 'random-n', layers: 3 },
      { name: 'finetune' },
      { name: 'scratch' },
    ])('$name', async (treatment) => {
      const own = { treatment, options, preprocess: { ...preprocess, size: images.size as [number, number] } };
      const { init: _, ...common } = { ...request(own), train: images, unfoldNorms: 'auto' as const };
      const copyFrom = copies(treatment) ? trained : undefined;
      const asArchitecture = await startNetwork(engine, { ...common, model: named(0), fresh: true, copyFrom });
      const asFile = await startNetwork(engine, { ...common, model: trained, fresh: false });
      const bytes = ({ network }: typeof asFile) => Buffer.from(writeModel(network.graph));
      expect(bytes(asFile).equals(bytes(asArchitecture))).toBe(true);
      expect([asFile.unfolded, asFile.plan]).toEqual([0, asArchitecture.plan]);
      // Layers of the base are there just where the treatment copies some, and Caffe's biases of one where it does not.
      const [first, fifth] = ['conv1.weight', 'conv5.bias'].map((name) => data(asFile.network.graph, name));
      expect(isEqual(first, data(trained, 'conv1.weight'))).toBe(copies(treatment));
      expect(new Set(fifth)).toEqual(new Set([1]));
    });
  });

  test('a network of other shapes is refused, with both shapes', async () => {
    const copyFrom = smallNet({ width: 6 });
    const cell = request({ treatment: { name: 'AnB', layers: 2 }, copyFrom });
    await expect(train(engine, cell)).rejects.toThrow(/layer 1 cannot be copied.*\[6,3,3,3\].*\[8,3,3,3\]/);
  });

  test('an architecture has nothing to copy of its own, and scratch copies nothing', async () => {
    const own = train(engine, request({ treatment: { name: 'AnB', layers: 2 } }));
    await expect(own).rejects.toThrow(/treatment AnB copies 2 layers: say from which model with --copy-from/);
    const useless = train(engine, request({ copyFrom: base.model }));
    await expect(useless).rejects.toThrow(/treatment scratch copies no layer, so --copy-from has no use/);
  });
});
