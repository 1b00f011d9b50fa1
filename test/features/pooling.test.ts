import { describe, expect, test } from 'vitest';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { parsePool, pooledPieces } from '../../src/features/index.js';
import { addPooling, planPools } from '../../src/features/pooling.js';
import { float32, GraphBuilder, type Layout } from '../../src/graph/index.js';

/** A value as networks mostly have it: channels-first maps, tokens with CLS before a square of patches. */
function valueLike(kind: 'map' | 'tokens' | 'vector', shape: number[]): { layout: Layout; shape: number[] } {
  const [a = 1, b = 1, c = 1] = shape;
  if (kind === 'vector') return { layout: { kind, axes: 'NC', prefix: 0, suffix: 0, grid: undefined }, shape };
  if (kind === 'map') return { layout: { kind, axes: 'NCHW', prefix: 0, suffix: 0, grid: [b, c] }, shape };
  const side = Math.floor(Math.sqrt(a));
  return { layout: { kind, axes: 'NTC', prefix: a - side * side, suffix: 0, grid: [side, side] }, shape };
}

const size = (kind: 'map' | 'tokens' | 'vector', shape: number[], pool: string) =>
  pooledPieces(valueLike(kind, shape), parsePool(pool)).reduce((sum, p) => sum + p.features, 0);

/** The tensors that the Head2Toe reference taps in ResNet-50 at 240 px: channels and side; the ends are vectors. */
function resnet50Maps(): [number, number][] {
  const maps: [number, number][] = [[64, 60]];
  const widths = [64, 128, 256, 512];
  const sides = [60, 30, 15, 8];
  let input = 64;
  let side = 60;
  for (const [block, units] of [3, 4, 6, 3].entries()) {
    const width = widths[block] as number;
    for (let unit = 0; unit < units; unit++) {
      // The stride sits in the 3 x 3 convolution of the first unit: layers 0 and 1 come before it.
      maps.push([input, side], [width, side]);
      side = sides[block] as number;
      maps.push([width, side]);
      input = width * 4;
    }
  }
  maps.push([2048, 8]);
  return maps;
}

describe('the reference rule gives the published dimensions', () => {
  test.each([
    [256, 27368],
    [512, 30440],
    [1024, 48104],
    [2048, 80360],
    [8192, 406248],
    [16384, 1542248],
    [24576, 1688808],
    [40000, 3006440],
    // The reference pools globally where a window would be empty, so a larger target gives fewer features.
    [49152, 2907368],
  ])('ResNet-50 at 240 px, target %i: %i', (target, total) => {
    const maps = resnet50Maps().map(([c, s]) => size('map', [c, s, s], `head2toe:${target}`));
    expect(maps.reduce((a, b) => a + b, 0) + 2048 + 1000).toBe(total);
  });

  test.each([
    [768, 68352],
    [1536, 98304],
    [7680, 374784],
    [15360, 814848],
    [32448, 1837824],
    [76800, 6934272],
    [151296, 7708416],
    [200000, 2427648],
  ])('ViT-B/16 at 224 px, target %i: %i', (target, total) => {
    const tokens = (channels: number) => size('tokens', [197, channels], `head2toe:${target}`);
    // pre_logits and cls_embedded are vectors; three more sequences, and per encoder three of 768 and one of 3072.
    const sum = 768 + 768 + 3 * tokens(768) + 12 * (3 * tokens(768) + tokens(3072));
    expect(sum).toBe(total);
  });
});

describe('target pooling', () => {
  test('takes the largest square grid that stays at or below the target', () => {
    expect(size('map', [96, 56, 56], 'target:512')).toBe(96 * 4);
    expect(size('map', [32, 112, 112], 'target:512')).toBe(512);
    expect(size('map', [1280, 7, 7], 'target:512')).toBe(1280);
    expect(size('map', [8, 3, 3], 'target:4096')).toBe(8 * 9);
    expect(size('map', [16, 20, 10], 'target:512')).toBeLessThanOrEqual(512);
  });
  test('keeps CLS apart from the grid of patches', () => {
    const [piece] = pooledPieces(valueLike('tokens', [197, 192]), parsePool('target:1024'));
    expect(piece).toMatchObject({ prefix: 1, grid: [2, 2], features: 192 * 5 });
  });
  test('several at once: tokens apart, their mean, all of them; what has no tokens apart has one mean', () => {
    const pools = 'cls,mean,mean+cls,max,std';
    expect(size('tokens', [197, 192], pools)).toBe(5 * 192);
    expect(size('tokens', [198, 192], 'cls')).toBe(2 * 192);
    expect(size('tokens', [196, 192], pools)).toBe(3 * 192);
    expect(size('map', [64, 7, 7], pools)).toBe(3 * 64);
    expect(size('vector', [100], pools)).toBe(100);
  });
  test('the same piece from two specs counts once', () => {
    expect(size('map', [512, 7, 7], 'gap,target:512')).toBe(512);
    expect(size('map', [512, 7, 7], 'gap,max,std')).toBe(3 * 512);
    expect(size('vector', [100], 'gap,max,target:64')).toBe(100);
  });
});

/** Over the tokens of 17 from one on. */
const meanOf = (value: (t: number) => number, from: number) =>
  Array.from({ length: 17 - from }, (_, i) => value(i + from)).reduce((a, b) => a + b) / (17 - from);

describe('in the engine', () => {
  /** Pools random values in the engine; returns (batch, features) rows and the input. */
  async function run(
    kind: 'map' | 'tokens' | 'vector',
    shape: number[],
    pool: string,
    batch = 2,
    { layout }: { readonly layout: Layout } = valueLike(kind, shape),
  ) {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [batch, ...shape]);
    const planned = planPools({ layout, shape }, parsePool(pool))[0];
    if (!planned) throw new Error('no plan');
    b.output(addPooling(b, { name: x, layout, shape }, planned, batch), 'y');
    const program = await (await createOnnxRuntime()).compile(b.build());
    const data = Float32Array.from({ length: batch * shape.reduce((p, d) => p * d) }, (_, i) => Math.sin(i * 1.7) * 3);
    const { y } = await program.run({ x: float32([batch, ...shape], data) });
    await program.dispose();
    return { x: data, y: y?.data as Float32Array, dims: y?.dims };
  }

  test.each([
    [[3, 14, 14], 4], // bins of unequal size
    [[3, 7, 7], 2], // overlapping bins of equal size
    [[2, 12, 12], 3],
    [[2, 112, 112], 5],
  ])('map %j on a grid of %i: the mean of every bin, no pixel dropped', async (shape, n) => {
    const [c = 0, h = 0, w = 0] = shape;
    const { x, y } = await run('map', shape, `target:${c * n * n}`);
    for (let ch = 0; ch < 2 * c; ch++) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          let count = 0;
          for (let r = Math.floor((i * h) / n); r < Math.ceil(((i + 1) * h) / n); r++) {
            for (let q = Math.floor((j * w) / n); q < Math.ceil(((j + 1) * w) / n); q++) {
              sum += x[(ch * h + r) * w + q] as number;
              count++;
            }
          }
          expect(y[(ch * n + i) * n + j]).toBeCloseTo(sum / count, 4);
        }
      }
    }
  });

  test('head2toe drops the border: 15 pixels in windows of 7', async () => {
    const { x, y, dims } = await run('map', [4, 15, 15], 'head2toe:16');
    expect(dims).toEqual([2, 4, 2, 2]);
    let sum = 0;
    for (let r = 7; r < 14; r++) for (let q = 0; q < 7; q++) sum += x[r * 15 + q] as number;
    expect(y[2]).toBeCloseTo(sum / 49, 4);
  });

  test('head2toe pools tokens in raster strips, CLS among the first', async () => {
    const { x, y, dims } = await run('tokens', [197, 8], 'head2toe:160');
    const window = Math.floor(197 / (160 / 8));
    expect(dims).toEqual([2, Math.floor((197 - window) / window) + 1, 8]);
    const mean = Array.from({ length: window }, (_, t) => x[t * 8] as number).reduce((a, b) => a + b) / window;
    expect(y[0]).toBeCloseTo(mean, 4);
  });

  test('tokens: CLS as it is, then the mean of the patches', async () => {
    const { x, y, dims } = await run('tokens', [17, 4], 'gap');
    expect(dims).toEqual([2, 2, 4]);
    expect(y[1]).toBeCloseTo(x[1] as number, 5);
    const mean = Array.from({ length: 16 }, (_, t) => x[(t + 1) * 4] as number).reduce((a, b) => a + b) / 16;
    expect(y[4]).toBeCloseTo(mean, 4);
  });

  test.each([
    ['cls', (value: (t: number) => number) => value(0)],
    ['mean', (value: (t: number) => number) => meanOf(value, 1)],
    ['mean+cls', (value: (t: number) => number) => meanOf(value, 0)],
  ])('tokens: %s', async (pool, expected) => {
    const { x, y, dims } = await run('tokens', [17, 4], pool);
    expect(dims).toEqual([2, 1, 4]);
    for (let c = 0; c < 4; c++)
      expect(y[c]).toBeCloseTo(
        expected((t) => x[t * 4 + c] as number),
        4,
      );
  });

  test('tokens: every cell of a map, every token, as they are; tokens apart stand first', async () => {
    const map = await run('map', [3, 4, 5], 'tokens');
    expect(map.dims).toEqual([2, 3, 4, 5]);
    expect(map.y).toEqual(map.x);
    const tokens = await run('tokens', [17, 4], 'tokens');
    expect(tokens.dims).toEqual([2, 17, 4]);
    expect(tokens.y).toEqual(tokens.x);
    // One token before four patches, and one after them.
    const ended = { kind: 'tokens', axes: 'NTC', prefix: 1, suffix: 1, grid: [2, 2] } as const;
    const { x, y, dims } = await run('tokens', [6, 2], 'tokens', 1, { layout: ended });
    expect(dims).toEqual([1, 6, 2]);
    expect([...y]).toEqual([0, 5, 1, 2, 3, 4].flatMap((token) => [...x.subarray(2 * token, 2 * token + 2)]));
  });

  test.each(['max', 'std'])('%s over space', async (pool) => {
    const { x, y } = await run('map', [2, 6, 5], pool);
    const channel = x.subarray(0, 30);
    const mean = channel.reduce((a, b) => a + b) / 30;
    const expected =
      pool === 'max' ? Math.max(...channel) : Math.sqrt(channel.reduce((s, v) => s + (v - mean) ** 2, 0) / 30);
    expect(y[0]).toBeCloseTo(expected, 4);
  });
});

test.each(['', 'gap:3', 'target', 'target:0', 'target:1.5', 'avg', 'head2toe:-1'])('rejects %j', (spec) => {
  expect(() => parsePool(spec)).toThrow(/pooling .* is not understood/);
});
