/** Norms: of statistics that were learned, and of each example's own. */
import { floatAttribute, intAttribute } from '../../ir/index.js';
import { attr, first, type GraphModelWriter, type Layout, positive, result, type Write } from './graph-model-writer.js';

/** Statistics that were learned, as one factor and one shift per channel. */
export const batchNormalization: Write = (w, node) => {
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => w.parameter(node, i)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const factor = scale.map((s, c) => s / Math.sqrt((variance[c] as number) + epsilon));
  const shift = bias.map((v, c) => v - (mean[c] as number) * (factor[c] as number));
  const rank = w.dims(first(node)).length;
  const layout: Layout = rank === 4 ? 'last' : 'plain';
  const dims = rank === 4 || rank === 2 ? [scale.length] : [scale.length, ...Array<number>(rank - 2).fill(1)];
  const x = w.in(layout, node, first(node));
  const scaled = w.op(
    'Mul',
    [x, w.weight({ dims, data: factor }, `${result(node)}/factor`)],
    {},
    `${result(node)}/scaled`,
  );
  w.place(
    result(node),
    w.op('AddV2', [scaled, w.weight({ dims, data: shift }, `${result(node)}/shift`)], {}, result(node)),
    layout,
  );
};

/** Centred and scaled over `axes`, then the learned factor and shift. */
function standardised(
  w: GraphModelWriter,
  x: string,
  axes: readonly number[],
  epsilon: number,
  [factor, shift]: readonly [string, string | undefined],
  name: string,
) {
  const along = w.ints(axes);
  const keep = { keep_dims: attr.flag(true) };
  const centred = w.op('Sub', [x, w.op('Mean', [x, along], keep)]);
  const variance = w.op('Mean', [w.op('Mul', [centred, centred]), along], keep);
  const scaled = w.op('Mul', [centred, w.op('Rsqrt', [w.op('AddV2', [variance, w.scalar(epsilon)])])]);
  const product = w.op('Mul', [scaled, factor], {}, shift ? `${name}/scaled` : name);
  return shift ? w.op('AddV2', [product, shift], {}, name) : product;
}

export const layerNormalization: Write = (w, node) => {
  const [x = '', scale = '', bias] = node.inputs;
  const rank = w.dims(x).length;
  const axis = positive(intAttribute(node, 'axis', -1), rank);
  const axes = Array.from({ length: rank - axis }, (_, i) => axis + i);
  const learned = [w.in('plain', node, scale), bias ? w.in('plain', node, bias) : undefined] as const;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  w.place(result(node), standardised(w, w.in('plain', node, x), axes, epsilon, learned, result(node)));
};

export const instanceNormalization: Write = (w, node) => {
  const [x = ''] = node.inputs;
  if (w.dims(x).length !== 4) w.fail(node, 'is over no image of rows and columns');
  const [scale, bias] = [1, 2].map((at) =>
    w.weight({ dims: [w.parameter(node, at).length], data: w.parameter(node, at) }, `${result(node)}/${at}`),
  ) as [string, string];
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  w.place(result(node), standardised(w, w.in('last', node, x), [1, 2], epsilon, [scale, bias], result(node)), 'last');
};
