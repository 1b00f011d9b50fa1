/**
 * How each operator of the sets 7 to 17 is written in set 18.
 * Source: the operators' change log of the ONNX standard; behaviour checked against onnxruntime, which runs both forms.
 */
import { UserError } from '../../base/index.js';
import {
  type Attribute,
  type GraphBuilder,
  intAttribute,
  intsAttribute,
  type Node,
  nodeLabel,
  stringAttribute,
  type Tensor,
  toNumbers,
} from '../../ir/index.js';

export interface Context {
  readonly builder: GraphBuilder;
  /** Version of the operator set that the graph was written for. */
  readonly opset: number;
  /** Constants in scope, those of the enclosing graphs included. */
  readonly constant: (name: string) => Tensor | undefined;
  /** Whether the graph holds floats other than float32, so that a number must take its type from a neighbour. */
  readonly mixed: boolean;
  readonly isRead: (name: string) => boolean;
}

/** Writes `node` in its new form into the builder. */
type Rewrite = (node: Node, context: Context) => void;

/** From which set on a rewriting is needed no more. */
interface Version {
  /** It holds for graphs of sets below this. */
  readonly below: number;
  readonly rewrite: Rewrite;
}

/** The node with other inputs and without some attributes. */
function changed(node: Node, inputs: readonly string[], drop: readonly string[] = [], add = {}): Node {
  const kept = Object.entries(node.attributes).filter(([name]) => !drop.includes(name));
  return { ...node, inputs, attributes: { ...Object.fromEntries(kept), ...add } };
}

const int = (value: number): Attribute => ({ kind: 'int', value });
const string = (value: string): Attribute => ({ kind: 'string', value });

/** A scalar of the type of the value `like`. */
function scalarLike(value: number, like: string, { builder, mixed }: Context): string {
  const scalar = builder.scalar(value);
  return mixed ? builder.op('CastLike', [scalar, like]) : scalar;
}

const axesToInput: Rewrite = (node, { builder }) => {
  const axes = intsAttribute(node, 'axes');
  const inputs = axes && node.inputs.length === 1 ? [...node.inputs, builder.ints(axes)] : node.inputs;
  builder.append(changed(node, inputs, ['axes']));
};

const slice: Rewrite = (node, { builder }) => {
  const starts = intsAttribute(node, 'starts') ?? [];
  const ends = intsAttribute(node, 'ends') ?? [];
  const axes = intsAttribute(node, 'axes') ?? starts.map((_, i) => i);
  const inputs = [...node.inputs.slice(0, 1), builder.ints(starts), builder.ints(ends), builder.ints(axes)];
  builder.append(changed(node, inputs, ['starts', 'ends', 'axes']));
};

const clip: Rewrite = (node, context) => {
  const x = node.inputs[0] as string;
  const bound = (name: string) => {
    const a = node.attributes[name];
    return a?.kind === 'float' ? scalarLike(a.value, x, context) : '';
  };
  const inputs = [x, bound('min'), bound('max')];
  while (inputs.at(-1) === '') inputs.pop();
  context.builder.append(changed(node, inputs, ['min', 'max']));
};

const pad: Rewrite = (node, context) => {
  const x = node.inputs[0] as string;
  const inputs = [x, context.builder.ints(intsAttribute(node, 'pads') ?? [])];
  const value = node.attributes.value;
  if (value?.kind === 'float' && value.value !== 0) inputs.push(scalarLike(value.value, x, context));
  context.builder.append(changed(node, inputs, ['pads', 'value']));
};

const split: Rewrite = (node, { builder }) => {
  const sizes = intsAttribute(node, 'split');
  if (sizes) builder.append(changed(node, [...node.inputs.slice(0, 1), builder.ints(sizes)], ['split']));
  else if (node.inputs[1]) builder.append(node);
  else builder.append(changed(node, node.inputs, [], { num_outputs: int(node.outputs.length) }));
};

/** Before set 13 the softmax ran over all axes from `axis` on, taken together. */
const flattenedSoftmax: Rewrite = (node, { builder }) => {
  const axis = intAttribute(node, 'axis', 1);
  if (axis === -1) return builder.append(node);
  const x = node.inputs[0] as string;
  const flat = builder.op('Flatten', [x], { axis });
  const result = builder.op(node.op, [flat], { axis: -1 });
  builder.append({ ...node, op: 'Reshape', inputs: [result, builder.op('Shape', [x])], attributes: {} });
};

const dropout: Rewrite = (node, { builder, opset, isRead }) => {
  const ratio = node.attributes.ratio;
  const inputs = [...node.inputs.slice(0, 1), builder.scalar(ratio?.kind === 'float' ? ratio.value : 0.5)];
  const mask = node.outputs[1];
  const outputs = mask && isRead(mask) ? node.outputs : node.outputs.slice(0, 1);
  if (outputs.length === 2 && opset < 10) {
    const bool = builder.fresh(`${mask}.bool`);
    builder.append({ ...changed(node, inputs, ['ratio']), outputs: [outputs[0] as string, bool] });
    builder.node('CastLike', [bool, node.inputs[0] as string], [mask as string]);
  } else builder.append({ ...changed(node, inputs, ['ratio']), outputs });
};

const batchNormalization: Rewrite = (node, context) => {
  const { builder, isRead } = context;
  if (intAttribute(node, 'spatial', 1) === 0) return nonSpatialNormalization(node, context);
  if (node.outputs.slice(1).every((name) => name === '' || !isRead(name))) {
    return builder.append({ ...changed(node, node.inputs, ['spatial']), outputs: node.outputs.slice(0, 1) });
  }
  if (node.outputs.slice(3).some((name) => name !== '' && isRead(name))) {
    throw new UserError(
      `${nodeLabel(node)} gives out its saved statistics, which no current operator set has; export the model for inference`,
    );
  }
  builder.append({
    ...changed(node, node.inputs, ['spatial'], { training_mode: int(1) }),
    outputs: node.outputs.slice(0, 3),
  });
};

/** Set 7 could normalise every position of a channel by statistics of its own. */
const nonSpatialNormalization: Rewrite = (node, context) => {
  const { builder } = context;
  const [x, scale, shift, mean, variance] = node.inputs as [string, string, string, string, string];
  const epsilon = node.attributes.epsilon;
  const guard = scalarLike(epsilon?.kind === 'float' ? epsilon.value : 1e-5, variance, context);
  const deviation = builder.sqrt(builder.add(variance, guard));
  const normal = builder.div(builder.sub(x, mean), deviation);
  builder.node('Add', [builder.mul(normal, scale), shift], node.outputs.slice(0, 1));
};

/** Upsample, and Resize of set 10, which is Upsample under its new name. */
const upsample: Rewrite = (node, context) => {
  const { builder } = context;
  const attribute = node.attributes.scales;
  const scales =
    attribute?.kind === 'floats'
      ? builder.constant({
          type: 'float32',
          dims: [attribute.value.length],
          data: Float32Array.from(attribute.value),
        })
      : (node.inputs[1] as string);
  const known = context.constant(scales) ?? { type: 'float32', dims: [0], data: [] as never };
  const factors = attribute?.kind === 'floats' ? attribute.value : toNumbers(known);
  const mode = stringAttribute(node, 'mode', 'nearest');
  builder.append({
    ...node,
    op: 'Resize',
    inputs: [node.inputs[0] as string, '', scales],
    attributes: {
      mode: string(mode === 'bilinear' ? 'linear' : mode),
      coordinate_transformation_mode: string('asymmetric'),
      // The old operator rounded up where it shrank.
      ...(mode === 'nearest' && { nearest_mode: string(factors.some((f) => f < 1) ? 'ceil' : 'floor') }),
    },
  });
};

/** From set 13 on, absent regions and scales are absent inputs, not empty tensors. */
const resize: Rewrite = (node, { builder, constant }) => {
  const inputs = node.inputs.map((name, i) => {
    const tensor = i > 0 && name ? constant(name) : undefined;
    return tensor && tensor.data.length === 0 ? '' : name;
  });
  builder.append(changed(node, inputs));
};

const topK: Rewrite = (node, { builder }) =>
  builder.append(changed(node, [...node.inputs.slice(0, 1), builder.ints([intAttribute(node, 'k', 1)])], ['k']));

const roiAlign: Rewrite = (node, { builder }) =>
  builder.append({
    ...node,
    attributes: { coordinate_transformation_mode: string('output_half_pixel'), ...node.attributes },
  });

const scatter: Rewrite = (node, { builder }) => builder.append({ ...node, op: 'ScatterElements' });

const scan: Rewrite = (node) => {
  throw new UserError(`${nodeLabel(node)} is of operator set 8, which runs nowhere now; export the model with set 17`);
};

const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'];

/** The rewritings of each operator; the first whose set is above the graph's is taken. */
export const rewrites: Readonly<Record<string, readonly Version[]>> = {
  BatchNormalization: [{ below: 14, rewrite: batchNormalization }],
  Clip: [{ below: 11, rewrite: clip }],
  Dropout: [{ below: 12, rewrite: dropout }],
  Hardmax: [{ below: 13, rewrite: flattenedSoftmax }],
  LogSoftmax: [{ below: 13, rewrite: flattenedSoftmax }],
  Pad: [{ below: 11, rewrite: pad }],
  ReduceSum: [{ below: 13, rewrite: axesToInput }],
  Resize: [
    { below: 11, rewrite: upsample },
    { below: 18, rewrite: resize },
  ],
  RoiAlign: [{ below: 16, rewrite: roiAlign }],
  Scan: [{ below: 9, rewrite: scan }],
  Scatter: [{ below: 18, rewrite: scatter }],
  Slice: [{ below: 10, rewrite: slice }],
  Softmax: [{ below: 13, rewrite: flattenedSoftmax }],
  Split: [{ below: 18, rewrite: split }],
  Squeeze: [{ below: 13, rewrite: axesToInput }],
  TopK: [{ below: 10, rewrite: topK }],
  Unsqueeze: [{ below: 13, rewrite: axesToInput }],
  Upsample: [{ below: 18, rewrite: upsample }],
  ...Object.fromEntries(reductions.map((name) => [`Reduce${name}`, [{ below: 18, rewrite: axesToInput }]])),
};
