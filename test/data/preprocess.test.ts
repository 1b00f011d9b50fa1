import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parsePreprocess, preprocessPresets, resolvePreprocess } from '../../src/data/index.js';

const folder = mkdtempSync(join(tmpdir(), 'toehold preprocess '));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a preprocessing', () => {
  test('has defaults: 224 x 224, stretched, bilinear, divided by 255, RGB, NCHW', () => {
    expect(parsePreprocess({}, 'x')).toEqual({
      size: [224, 224],
      resize: 'exact',
      interpolation: 'bilinear',
      scale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      layout: 'nchw',
      channels: 'rgb',
    });
  });

  test('takes one number for a square and for three channels', () => {
    expect(parsePreprocess({ size: 32, mean: 0.5, std: 0.25 }, 'x')).toMatchObject({
      size: [32, 32],
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    });
  });

  test('crops from a short side of size / .875 unless said otherwise', () => {
    expect(parsePreprocess({ resize: 'crop' }, 'x').resizeTo).toBe(256);
    expect(parsePreprocess({ resize: 'crop', resizeTo: 240 }, 'x').resizeTo).toBe(240);
  });

  test.each([
    [{ sise: 32 }, "x: unknown field 'sise'; did you mean 'size'?"],
    [{ size: 0 }, 'x: size: '],
    [{ std: 0 }, 'x: std: must be above 0'],
    [{ layout: 'hwc' }, 'x: layout: '],
    [{ resizeTo: 256 }, "x: resizeTo: is used with resize 'crop' only"],
    [{ resize: 'crop', resizeTo: 200 }, 'x: resizeTo: 200 is smaller than the crop 224 x 224'],
  ])('%j is refused', (value, message) => {
    expect(() => parsePreprocess(value, 'x')).toThrow(message);
  });

  test('every preset is complete', () => {
    for (const [name, preset] of Object.entries(preprocessPresets)) {
      expect(parsePreprocess(preset, name).size.length).toBe(2);
    }
  });
});

describe('the preprocessing of a model', () => {
  const model = join(folder, 'net.onnx');

  test('is the preset that is named, with the flags on top', async () => {
    const { preprocess, source } = await resolvePreprocess('cifar', model, { size: 40, mean: undefined });
    expect(source).toBe('cifar');
    expect(preprocess).toMatchObject({ size: [40, 40], mean: [0.485, 0.456, 0.406] });
  });

  test('another size changes the short side with it', async () => {
    expect((await resolvePreprocess('clip', undefined, { size: 112 })).preprocess.resizeTo).toBe(128);
    expect((await resolvePreprocess('clip', undefined, { resize: 'exact' })).preprocess.resizeTo).toBeUndefined();
  });

  test('else the sidecar next to the model, its own before the folder’s; else the defaults', async () => {
    expect((await resolvePreprocess(undefined, model)).source).toBeUndefined();
    writeFileSync(join(folder, 'preprocess.json'), '{"size": 64}');
    expect((await resolvePreprocess(undefined, model)).preprocess.size).toEqual([64, 64]);
    writeFileSync(join(folder, 'net.preprocess.json'), '{"size": [48, 96]}');
    expect(await resolvePreprocess(undefined, model)).toMatchObject({
      preprocess: { size: [48, 96] },
      source: join(folder, 'net.preprocess.json'),
    });
    expect((await resolvePreprocess(join(folder, 'preprocess.json'), model)).preprocess.size).toEqual([64, 64]);
  });

  test('an unknown preset, an absent file and a broken one are named', async () => {
    await expect(resolvePreprocess('imagnet')).rejects.toThrow("did you mean 'imagenet'?");
    await expect(resolvePreprocess('./none.json')).rejects.toThrow('no such file: ./none.json');
    const broken = join(folder, 'broken.json');
    writeFileSync(broken, '{"size": ');
    await expect(resolvePreprocess(broken)).rejects.toThrow(`${broken} is not JSON`);
    writeFileSync(broken, '[1]');
    await expect(resolvePreprocess(broken)).rejects.toThrow('must hold one JSON object');
  });
});
