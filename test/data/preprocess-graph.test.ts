import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random, sha256 } from '../../src/base/index.js';
import {
  createLoader,
  decodeImage,
  normaliseInput,
  type Preprocess,
  type PreprocessInput,
  type PreprocessPreset,
  parsePreprocess,
  preprocessImage,
  preprocessPresets,
  resizeImage,
} from '../../src/data/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { type Graph, GraphBuilder, readModelFile, sizeOf, type Tensor } from '../../src/graph/index.js';
import { assetsTest, backbonePath, datasetPath, goldenPath } from '../support/assets.js';
import { readSafetensors } from '../support/safetensors.js';

interface Packed {
  dims: number[];
  zlib: string;
}
const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/data/${name}`, import.meta.url), 'utf8'));
const { resize: cases } = fixture('resize.json') as {
  resize: { preprocess: PreprocessInput; image: Packed; pixels: Packed }[];
};
const unpack = ({ dims, zlib }: Packed): Tensor => ({
  type: 'uint8',
  dims,
  data: new Uint8Array(inflateSync(Buffer.from(zlib, 'base64'))),
});
const engine = await createOnnxRuntime({ threads: 1 });

/** From `image` (uint8 [H, W, 3], any H and W) to `pixels` (uint8 [h, w, 3]). */
function resizeGraph(preprocess: Preprocess): Graph {
  const b = new GraphBuilder();
  const resized = resizeImage(b, b.input('image', 'uint8', ['H', 'W', 3]), preprocess);
  b.output(b.op('Squeeze', [resized, b.ints([0])]), 'pixels', 'uint8', [...preprocess.size, 3]);
  return b.build();
}

describe('resizing', () => {
  for (const { preprocess, image, pixels } of cases) {
    const { resize = 'exact', interpolation, size, resizeTo } = preprocess;
    test(`${image.dims} to ${size} (${resize} ${resizeTo ?? ''}, ${interpolation}) equals Pillow's`, async () => {
      const program = await engine.compile(resizeGraph(parsePreprocess(preprocess, 'case')));
      const { pixels: ours } = await program.run({ image: unpack(image) });
      await program.dispose();
      expect(ours).toEqual(unpack(pixels));
    });

    test(`${image.dims} to ${size} (${resize} ${resizeTo ?? ''}, ${interpolation}) by the loader equals Pillow's`, () => {
      const { dims, data } = unpack(image);
      const [height, width] = dims as [number, number];
      const ours = new Uint8Array(sizeOf(unpack(pixels).dims));
      createLoader(parsePreprocess(preprocess, 'case')).resize({ height, width, data: data as Uint8Array }, ours);
      expect(Buffer.compare(ours, unpack(pixels).data as Uint8Array)).toBe(0);
    });
  }

  test('an image that has the size already is left as it is', async () => {
    const image = unpack((cases[0] as (typeof cases)[0]).image);
    const [h, w] = image.dims as [number, number];
    const program = await engine.compile(resizeGraph(parsePreprocess({ size: [h, w] }, 'case')));
    expect((await program.run({ image })).pixels?.data).toEqual(image.data);
    await program.dispose();
  });
});

describe('an image larger than what is resampled at a time', () => {
  // 27 MB, of which 4 are in memory at once.
  const [height, width] = [3000, 3000];
  const random = new Random(0, 'pixels');
  const data = Uint8Array.from({ length: height * width * 3 }, () => random.integer(256));
  const large: PreprocessInput[] = [
    { size: [100, 150] },
    { size: [100, 150], resize: 'crop', resizeTo: 200, interpolation: 'bicubic' },
    { size: [100, 3000] },
    { size: [3000, 100] },
    { size: [100, 3100] },
  ];
  test.each(large)('%j', async (input) => {
    const preprocess = parsePreprocess(input, 'case');
    const ours = new Uint8Array(sizeOf([...preprocess.size, 3]));
    createLoader(preprocess).resize({ height, width, data }, ours);
    const program = await engine.compile(resizeGraph(preprocess));
    const { pixels } = await program.run({ image: { type: 'uint8', dims: [height, width, 3], data } });
    await program.dispose();
    expect(Buffer.compare(ours, pixels?.data as Uint8Array)).toBe(0);
  });
});

async function normalised(preprocess: Preprocess, pixels: Tensor): Promise<Tensor> {
  const b = new GraphBuilder();
  b.output(normaliseInput(b, b.input('pixels', 'uint8', ['B', 'h', 'w', 3]), preprocess), 'x');
  const program = await engine.compile(b.build());
  const { x } = await program.run({ pixels });
  await program.dispose();
  return x as Tensor;
}

describe('normalising', () => {
  const pixels: Tensor = { type: 'uint8', dims: [2, 1, 2, 3], data: Uint8Array.from({ length: 12 }, (_, i) => i * 23) };
  const expected = (p: Preprocess) => {
    const values: number[] = [];
    const at = (n: number, y: number, x: number, c: number) => {
      const source = p.channels === 'bgr' ? 2 - c : c;
      const pixel = (pixels.data as Uint8Array)[((n + y) * 2 + x) * 3 + source] as number;
      values.push((pixel * p.scale - (p.mean[c] as number)) / (p.std[c] as number));
    };
    for (const n of [0, 1]) {
      if (p.layout === 'nchw') for (const c of [0, 1, 2]) for (const x of [0, 1]) at(n, 0, x, c);
      else for (const x of [0, 1]) for (const c of [0, 1, 2]) at(n, 0, x, c);
    }
    return values;
  };

  const variants: PreprocessInput[] = [
    ...Object.values(preprocessPresets),
    { ...preprocessPresets.imagenet, layout: 'nhwc' },
    { ...preprocessPresets.caffe, layout: 'nhwc' },
  ];
  test.each(variants)('%j is (pixel * scale - mean) / std', async (input) => {
    const preprocess = parsePreprocess(input, 'case');
    const x = await normalised(preprocess, pixels);
    expect(x.dims).toEqual(preprocess.layout === 'nchw' ? [2, 3, 1, 2] : [2, 1, 2, 3]);
    const want = expected(preprocess);
    Array.from(x.data as Float32Array).forEach((v, i) => {
      expect(v).toBeCloseTo(want[i] as number, 4);
    });
  });

  test('the whole preprocessing of one image is resizing, then normalising', async () => {
    const { preprocess: options, image, pixels: resized } = cases[0] as (typeof cases)[0];
    const preprocess = parsePreprocess({ ...preprocessPresets.imagenet, ...options }, 'case');
    const b = new GraphBuilder();
    b.output(preprocessImage(b, b.input('image', 'uint8', ['H', 'W', 3]), preprocess), 'x');
    const program = await engine.compile(b.build());
    const x = (await program.run({ image: unpack(image) })).x as Tensor;
    await program.dispose();
    const parts = await normalised(preprocess, { ...unpack(resized), dims: [1, ...resized.dims] });
    expect(x.dims).toEqual([1, 3, ...preprocess.size]);
    // One level of 255 is .0175 after the division by std.
    (x.data as Float32Array).forEach((v, i) => {
      expect(Math.abs(v - ((parts.data as Float32Array)[i] as number))).toBeLessThan(0.018);
    });
  });
});

/** The backbone with the front end before its only input, taking uint8 pixels. */
function withFrontEnd(model: Graph, preprocess: Preprocess): Graph {
  const input = model.inputs[0]?.name as string;
  const b = new GraphBuilder(undefined, 'front');
  const x = normaliseInput(b, b.input('pixels', 'uint8', ['B', 'h', 'w', 3]), preprocess);
  const front = b.build();
  return {
    ...model,
    inputs: front.inputs,
    nodes: [
      ...front.nodes,
      ...model.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => (name === input ? x : name)) })),
    ],
    constants: new Map([...model.constants, ...front.constants]),
  };
}

describe('golden outputs', () => {
  const golden: [string, PreprocessPreset][] = [
    ['mobilenetv2_tf', 'tf'],
    ['squeezenet1.1', 'imagenet'],
    ['deit_tiny', 'imagenet'],
  ];
  for (const [name, preset] of golden) {
    assetsTest(`${name} from uint8 pixels`, async () => {
      const tensors = readSafetensors(goldenPath);
      const program = await engine.compile(
        withFrontEnd(await readModelFile(backbonePath(name)), parsePreprocess(preprocessPresets[preset], preset)),
      );
      const key = [`${name}.logits`, `${name}.features`].find((k) => tensors.has(k)) as string;
      const results = await program.run({ pixels: tensors.get('rgb_u8_nhwc') as Tensor });
      const ours = results[key.slice(name.length + 1)] as Tensor;
      await program.dispose();
      const want = tensors.get(key)?.data as Float32Array;
      const largest = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      (ours.data as Float32Array).forEach((v, i) => {
        expect(Math.abs(v - (want[i] as number)) / largest).toBeLessThan(1e-3);
      });
    });
  }
});

describe('real images', () => {
  const { images } = fixture('real.json') as {
    images: { data: string; file: string; sha256: string; bilinear: string; bicubic: string }[];
  };
  for (const interpolation of ['bilinear', 'bicubic'] as const) {
    assetsTest(`decode to Pillow's bytes, and resize ${interpolation} to Pillow's bytes`, async () => {
      const loader = createLoader(parsePreprocess({ interpolation }, 'case'));
      const pixels = new Uint8Array(loader.bytes);
      for (const { data, file, sha256: hash, ...samples } of images) {
        const image = await decodeImage(join(datasetPath(data), file));
        expect(sha256(image.data), `${data}/${file}`).toBe(hash);
        loader.resize(image, pixels);
        const want = Buffer.from(samples[interpolation], 'base64');
        // Every 101st byte is kept.
        const ours = Buffer.from(want.map((_, i) => pixels[101 * i] as number));
        expect(Buffer.compare(ours, want), `${data}/${file}`).toBe(0);
      }
    });
  }
});
