/** Preprocessing as other programs describe it, on the fields of their published files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modelClasses, resolvePreprocess } from '../../src/data/index.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold configs '));
  mkdirSync(join(root, 'onnx'));
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (file: string, value: unknown) => writeFileSync(join(root, file), JSON.stringify(value));
const resolved = () => resolvePreprocess(undefined, join(root, 'onnx/model.onnx'));
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const named = { image_mean: imagenet.mean, image_std: imagenet.std };

test.each([
  [
    'of ViT: stretched to a square, bilinear, to -1 ... 1',
    {
      size: 224,
      resample: 2,
      do_resize: true,
      do_normalize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
    },
    { size: [224, 224], resize: 'exact', interpolation: 'bilinear', mean: [0.5, 0.5, 0.5] },
  ],
  [
    'of DINOv2: short side 256, crop 224, bicubic',
    {
      size: { shortest_edge: 256 },
      crop_size: { height: 224, width: 224 },
      do_center_crop: true,
      resample: 3,
      rescale_factor: 1 / 255,
      ...named,
    },
    { size: [224, 224], resize: 'crop', resizeTo: 256, interpolation: 'bicubic', ...imagenet },
  ],
  [
    'of ConvNeXt: short side by crop_pct, then its square',
    { size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 3, ...named },
    { size: [224, 224], resize: 'crop', resizeTo: 256, ...imagenet },
  ],
  [
    'of MobileViT: channels turned, not normalised',
    {
      size: { shortest_edge: 288 },
      crop_size: { height: 256, width: 256 },
      do_center_crop: true,
      do_flip_channel_order: true,
      do_normalize: false,
      resample: 2,
    },
    { size: [256, 256], resizeTo: 288, channels: 'bgr', mean: [0, 0, 0], std: [1, 1, 1] },
  ],
])('preprocessor_config.json %s', async (_, config, expected) => {
  put('preprocessor_config.json', config);
  const { preprocess, source } = await resolved();
  expect(preprocess).toMatchObject({ scale: 1 / 255, ...expected });
  expect(source).toBe(join(root, 'preprocessor_config.json'));
});

test("timm's config.json: size, crop and constants", async () => {
  const cfg = { input_size: [3, 224, 224], interpolation: 'bicubic', crop_pct: 0.9, crop_mode: 'center', ...imagenet };
  put('config.json', { architecture: 'deit_tiny_patch16_224', num_classes: 1000, pretrained_cfg: cfg });
  expect((await resolved()).preprocess).toMatchObject({
    size: [224, 224],
    resize: 'crop',
    resizeTo: 248,
    interpolation: 'bicubic',
    ...imagenet,
  });
  put('config.json', { pretrained_cfg: { ...cfg, crop_mode: 'squash' } });
  expect((await resolved()).preprocess.resize).toBe('exact');
});

test('a sidecar of toehold wins; what is not understood is named', async () => {
  put('preprocessor_config.json', { size: 224, resample: 1, ...named });
  await expect(resolved()).rejects.toThrow("asks for the interpolation '1'; toehold does bilinear and bicubic");
  put('onnx/preprocess.json', { size: 96 });
  expect((await resolved()).preprocess.size).toEqual([96, 96]);
  rmSync(join(root, 'onnx/preprocess.json'));
  put('preprocessor_config.json', { size: 'large', ...named });
  await expect(resolved()).rejects.toThrow('preprocessor_config.json is not understood (size: ');
});

test('files of the same names that say nothing of images are passed over', async () => {
  put('preprocessor_config.json', { feature_size: 1, sampling_rate: 16000 });
  put('config.json', { hidden_size: 768, image_size: 224 });
  expect((await resolved()).source).toBeUndefined();
});

test('names of classes are those of the config, in the order of their numbers', async () => {
  put('config.json', { id2label: { '10': 'k', '0': 'a', '2': 'c' } });
  expect(await modelClasses(join(root, 'onnx/model.onnx'))).toEqual(['a', 'c', 'k']);
  put('config.json', { label_names: ['x', 'y'] });
  expect(await modelClasses(join(root, 'onnx/model.onnx'))).toEqual(['x', 'y']);
  put('config.json', { id2label: { '0': 'LABEL_0' } });
  expect(await modelClasses(join(root, 'onnx/model.onnx'))).toBeUndefined();
});
