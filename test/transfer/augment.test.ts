import { describe, expect, test } from 'vitest';
import { parsePreprocess, preprocessPresets } from '../../src/data/index.js';
import { type Augmentation, augment, type Size, storedSize, zeroColour } from '../../src/transfer/augment.js';

/** An image whose red is the row and whose green is the column. */
function coordinates([height, width]: Size): Uint8Array {
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([y + 1, x + 1, 7], (y * width + x) * 3);
  return data;
}

function draw(kind: Augmentation, from: Uint8Array, size: Size, index = 0, epoch = 0, seed = 0): Uint8Array {
  const to = new Uint8Array(size[0] * size[1] * 3);
  const source = { data: from, offset: 0, size: storedSize(kind, size) };
  augment(kind, source, { data: to, offset: 0, size }, { seed, epoch, index, outside: [201, 202, 203] });
  return to;
}

describe('augmentation', () => {
  const size: Size = [16, 24];

  test('none copies', () => {
    expect(draw('none', coordinates(size), size)).toEqual(coordinates(size));
  });

  test('flip mirrors about half of the images, left to right', () => {
    const image = coordinates(size);
    const mirrored = Uint8Array.from(image, (_, i) => {
      const [p, c] = [Math.floor(i / 3), i % 3];
      return image[(p - (p % 24) + (23 - (p % 24))) * 3 + c] as number;
    });
    const results = Array.from({ length: 200 }, (_, i) => draw('flip', image, size, i));
    for (const r of results) expect([Buffer.from(image), Buffer.from(mirrored)]).toContainEqual(Buffer.from(r));
    const share = results.filter((r) => Buffer.compare(r, mirrored) === 0).length / 200;
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.6);
  });

  test('crop-flip cuts the size from an image kept at 256 to 227 of it, anywhere, and every pixel is the image’s', () => {
    expect(storedSize('crop-flip', [227, 227])).toEqual([256, 256]);
    const stored = storedSize('crop-flip', size);
    expect(stored).toEqual([18, 27]);
    const image = coordinates(stored);
    const places = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const result = draw('crop-flip', image, size, i);
      const column = (x: number) => result[x * 3 + 1] as number;
      const [top, left] = [(result[0] as number) - 1, Math.min(column(0), column(23)) - 1];
      places.add(`${top} ${left}`);
      for (let y = 0; y < 16; y++) expect(result[(y * 24 + 12) * 3]).toBe(top + y + 1);
      expect(Math.abs(column(23) - column(0))).toBe(23);
    }
    expect(places.size).toBe(3 * 4);
  });

  test('pad-crop-flip cuts it from an image padded by an eighth, with what preprocessing turns into zero', () => {
    expect(zeroColour(parsePreprocess(preprocessPresets.tf, 'test'))).toEqual([128, 128, 128]);
    expect(zeroColour(parsePreprocess(preprocessPresets.imagenet, 'test'))).toEqual([124, 116, 104]);
    const bgr = parsePreprocess({ scale: 1, mean: [1, 2, 3], channels: 'bgr' }, 'test');
    expect(zeroColour(bgr)).toEqual([3, 2, 1]);
    expect(storedSize('pad-crop-flip', size)).toEqual(size);
    const image = coordinates(size);
    const shifts = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const result = draw('pad-crop-flip', image, size, i);
      const dy = (result[(8 * 24 + 12) * 3] as number) - 9;
      shifts.add(dy);
      for (let y = 0; y < 16; y++) {
        const isInside = y + dy >= 0 && y + dy < 16;
        expect(result[(y * 24 + 12) * 3]).toBe(isInside ? y + dy + 1 : 201);
      }
    }
    expect([...shifts].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  });

  test('random-resized-crop keeps images at 8/7 of the size, and keeps flat colours and gradients', () => {
    expect(storedSize('random-resized-crop', [224, 112])).toEqual([256, 128]);
    const stored = storedSize('random-resized-crop', size);
    const flat = new Uint8Array(stored[0] * stored[1] * 3).fill(93);
    expect(new Set(draw('random-resized-crop', flat, size))).toEqual(new Set([93]));
    const wide: Size = [64, 64];
    const from = storedSize('random-resized-crop', wide);
    for (let i = 0; i < 20; i++) {
      const result = draw('random-resized-crop', coordinates(from), wide, i);
      // Rows stay rows: red is the same along a line and grows evenly downwards.
      const red = Array.from({ length: 64 }, (_, y) => result[(y * 64 + 30) * 3] as number);
      const step = ((red[60] as number) - (red[3] as number)) / 57;
      expect(step).toBeGreaterThan(0.2);
      red.slice(3, 61).forEach((v, k) => {
        expect(Math.abs(v - ((red[3] as number) + step * k))).toBeLessThan(1.6);
      });
    }
  });

  test('depends on seed, epoch and index alone', () => {
    const image = coordinates(storedSize('crop-flip', size));
    const reference = draw('crop-flip', image, size, 3, 2, 1);
    expect(draw('crop-flip', image, size, 3, 2, 1)).toEqual(reference);
    const others = [1, 2, 3, 4, 5, 6].flatMap((k) => [
      draw('crop-flip', image, size, 3 + k, 2, 1),
      draw('crop-flip', image, size, 3, 2 + k, 1),
      draw('crop-flip', image, size, 3, 2, 1 + k),
    ]);
    expect(others.filter((o) => Buffer.compare(o, reference) === 0).length).toBeLessThan(6);
  });
});
