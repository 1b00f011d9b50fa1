/** Convolutions and pools by TensorFlow.js are those of onnxruntime, for windows that nobody chose. */
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { agree, check, sample } from './tfjs-agree.js';

/** A window, what surrounds it, and an image that it fits into. */
const axisOf = fc.record({
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  extra: fc.integer({ min: 0, max: 5 }),
  begin: fc.integer({ min: 0, max: 3 }),
  end: fc.integer({ min: 0, max: 3 }),
});
type Axis = typeof axisOf extends fc.Arbitrary<infer T> ? T : never;
const border = ({ kernel, begin, end }: Axis) => [Math.min(begin, kernel - 1), Math.min(end, kernel - 1)] as const;
const size = (a: Axis) => (a.kernel - 1) * a.dilation + 1 + a.extra;
const windows = fc.array(axisOf, { minLength: 1, maxLength: 2 });
const volumes = fc.array(axisOf, { minLength: 1, maxLength: 3 });
const attributesOf = (axes: readonly Axis[]) => ({
  kernel_shape: axes.map((a) => a.kernel),
  strides: axes.map((a) => a.stride),
  dilations: axes.map((a) => a.dilation),
  pads: [...axes.map((a) => border(a)[0]), ...axes.map((a) => border(a)[1])],
});

describe('windows', () => {
  const groupsOf = (axes: typeof windows) =>
    fc.tuple(axes, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }));
  const grouped = groupsOf(windows);

  test('Conv over one to three axes: any window, groups, and bias, alone and with an activation behind it', () =>
    check(
      fc.asyncProperty(groupsOf(volumes), ([axes, group, each, outputs]) => {
        const x = sample([2, group * each, ...axes.map(size)], 'x');
        const w = sample([group * outputs, each, ...axes.map((a) => a.kernel)], 'w');
        const bias = sample([group * outputs], 'b');
        return agree(
          (b) => {
            const attributes = { ...attributesOf(axes), group };
            const [weight, shift] = [b.constant(w), b.constant(bias)];
            const conv = (...inputs: string[]) => b.op('Conv', ['x', ...inputs], attributes);
            const six = b.op('Clip', [conv(weight, shift), b.scalar(0), b.scalar(6)]);
            return [conv(weight), conv(weight, shift), b.relu(conv(weight, shift)), six, b.relu(conv(weight))];
          },
          { x },
        );
      }),
      60,
    ));

  test('ConvTranspose: any window and groups', () =>
    check(
      fc.asyncProperty(grouped, ([axes, group, each, outputs]) => {
        const x = sample([2, group * each, ...axes.map((a) => 1 + a.extra)], 'x');
        const w = sample([group * each, outputs, ...axes.map((a) => a.kernel)], 'w');
        const output_padding = axes.map((a) => Math.min(a.extra, a.stride - 1, a.dilation));
        const attributes = { ...attributesOf(axes), group, output_padding };
        const reaches = axes.every((a, i) => {
          const [begin, end] = border(a);
          return a.extra * a.stride + (a.kernel - 1) * a.dilation + 1 + (output_padding[i] as number) > begin + end;
        });
        fc.pre(reaches);
        return agree((b) => [b.op('ConvTranspose', ['x', b.constant(w)], attributes)], { x });
      }),
      40,
    ));

  test('MaxPool and AveragePool: any window, with and without ceil_mode; indices are the same places', () =>
    check(
      fc.asyncProperty(fc.tuple(windows, fc.boolean(), fc.boolean()), ([axes, ceil, include]) => {
        const x = sample([2, 3, ...axes.map(size)], 'x');
        const ceil_mode = ceil ? 1 : 0;
        return agree(
          (b) => [
            ...b.ops('MaxPool', ['x'], 2, { ...attributesOf(axes), ceil_mode }),
            b.op('AveragePool', ['x'], { ...attributesOf(axes), ceil_mode, count_include_pad: include ? 1 : 0 }),
          ],
          { x },
        );
      }),
      60,
    ));

  test('a maximum goes back to where it was: squares, lines, borders, equal elements', () =>
    check(
      fc.asyncProperty(windows, (axes) => {
        const disjoint = axes.map((a) => ({ ...a, dilation: 1, stride: Math.max(a.stride, a.kernel) }));
        const x = sample([2, 3, ...disjoint.map(size)], 'x', (v) => Math.max(0, Math.round(v)));
        return agree(
          (b) => {
            const [y = '', places = ''] = b.ops('MaxPool', ['x'], 2, attributesOf(disjoint));
            const back = { kernel_shape: axes.map(() => 1) };
            return [b.op('MaxUnpool', [b.add(y, b.scalar(1)), places, b.ints(x.dims)], back)];
          },
          { x },
        );
      }),
      30,
    ));

  test('pools of whole images, where they lie as the graph says and where they lie channels-last', () =>
    check(
      fc.asyncProperty(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })), ([h, w]) =>
        agree(
          (b) => {
            const weight = b.constant(sample([5, 3, 1, 1], 'w'));
            const last = b.op('Conv', ['x', weight]);
            return ['x', last].flatMap((x) => [
              b.op('GlobalAveragePool', [x]),
              b.op('GlobalMaxPool', [x]),
              b.op('Flatten', [b.op('GlobalAveragePool', [x])]),
            ]);
          },
          { x: sample([2, 3, h, w], 'x') },
        ),
      ),
    ));
});
