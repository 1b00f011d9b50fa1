/**
 * Attributes of the operators that toehold writes, each with the kind that its standard gives it: 1 is an `int` as
 * Softmax's axis and a `float` as Gemm's alpha. An operator without attributes needs no row; to write another one with
 * attributes, add its row (test/ir/attributes.test.ts compares the standard rows with the ONNX schemas).
 */
import type { Attribute, Graph, Tensor } from './graph.js';

interface ValueOfKind {
  int: number;
  float: number;
  string: string;
  tensor: Tensor;
  graph: Graph;
  ints: readonly number[];
  floats: readonly number[];
  strings: readonly string[];
}
type AttributeKind = keyof ValueOfKind;
/** Kinds of an operator's attributes, by name. */
export type AttributeKinds = Readonly<Record<string, AttributeKind>>;

const window = { auto_pad: 'string', dilations: 'ints', kernel_shape: 'ints', pads: 'ints', strides: 'ints' } as const;
const convolution = { ...window, group: 'int' } as const;
const pool = { ...window, ceil_mode: 'int' } as const;
const reduction = { keepdims: 'int', noop_with_empty_axes: 'int' } as const;
const axis = { axis: 'int' } as const;
const recurrence = {
  activation_alpha: 'floats',
  activation_beta: 'floats',
  activations: 'strings',
  clip: 'float',
  direction: 'string',
  hidden_size: 'int',
  layout: 'int',
} as const;

/** By domain ('' is the standard), operator and attribute. */
export const attributeKinds = {
  '': {
    ArgMax: { ...axis, keepdims: 'int', select_last_index: 'int' },
    Attention: {
      is_causal: 'int',
      kv_num_heads: 'int',
      q_num_heads: 'int',
      qk_matmul_output_mode: 'int',
      scale: 'float',
      softcap: 'float',
      softmax_precision: 'int',
    },
    AveragePool: { ...pool, count_include_pad: 'int' },
    BatchNormalization: { epsilon: 'float', momentum: 'float', training_mode: 'int' },
    Cast: { saturate: 'int', to: 'int' },
    Celu: { alpha: 'float' },
    Concat: axis,
    ConstantOfShape: { value: 'tensor' },
    Conv: convolution,
    ConvTranspose: { ...convolution, output_padding: 'ints', output_shape: 'ints' },
    CumSum: { exclusive: 'int', reverse: 'int' },
    DepthToSpace: { blocksize: 'int', mode: 'string' },
    DequantizeLinear: axis,
    Einsum: { equation: 'string' },
    Elu: { alpha: 'float' },
    Flatten: axis,
    Gather: axis,
    GatherElements: axis,
    Gelu: { approximate: 'string' },
    Gemm: { alpha: 'float', beta: 'float', transA: 'int', transB: 'int' },
    GlobalLpPool: { p: 'int' },
    GridSample: { align_corners: 'int', mode: 'string', padding_mode: 'string' },
    GroupNormalization: { epsilon: 'float', num_groups: 'int' },
    GRU: { ...recurrence, linear_before_reset: 'int' },
    Hardmax: axis,
    HardSigmoid: { alpha: 'float', beta: 'float' },
    If: { else_branch: 'graph', then_branch: 'graph' },
    InstanceNormalization: { epsilon: 'float' },
    LayerNormalization: { ...axis, epsilon: 'float', stash_type: 'int' },
    LeakyRelu: { alpha: 'float' },
    LogSoftmax: axis,
    LpNormalization: { ...axis, p: 'int' },
    LpPool: { ...pool, p: 'int' },
    LRN: { alpha: 'float', beta: 'float', bias: 'float', size: 'int' },
    LSTM: { ...recurrence, input_forget: 'int' },
    MaxPool: { ...pool, storage_order: 'int' },
    MaxUnpool: { kernel_shape: 'ints', pads: 'ints', strides: 'ints' },
    OneHot: axis,
    Pad: { mode: 'string' },
    QuantizeLinear: { ...axis, saturate: 'int' },
    ReduceL1: reduction,
    ReduceL2: reduction,
    ReduceLogSum: reduction,
    ReduceLogSumExp: reduction,
    ReduceMax: reduction,
    ReduceMean: reduction,
    ReduceMin: reduction,
    ReduceProd: reduction,
    ReduceSum: reduction,
    ReduceSumSquare: reduction,
    Resize: {
      antialias: 'int',
      axes: 'ints',
      coordinate_transformation_mode: 'string',
      cubic_coeff_a: 'float',
      exclude_outside: 'int',
      extrapolation_value: 'float',
      keep_aspect_ratio_policy: 'string',
      mode: 'string',
      nearest_mode: 'string',
    },
    RMSNormalization: { ...axis, epsilon: 'float', stash_type: 'int' },
    RNN: recurrence,
    RotaryEmbedding: { interleaved: 'int', num_heads: 'int', rotary_embedding_dim: 'int' },
    ScatterElements: { ...axis, reduction: 'string' },
    ScatterND: { reduction: 'string' },
    Selu: { alpha: 'float', gamma: 'float' },
    Shape: { end: 'int', start: 'int' },
    Shrink: { bias: 'float', lambd: 'float' },
    Softmax: axis,
    SpaceToDepth: { blocksize: 'int' },
    Split: { ...axis, num_outputs: 'int' },
    Swish: { alpha: 'float' },
    ThresholdedRelu: { alpha: 'float' },
    TopK: { ...axis, largest: 'int', sorted: 'int' },
    Transpose: { perm: 'ints' },
  },
  /** onnxruntime's own. */
  'com.microsoft': {
    MultiHeadAttention: { mask_filter_value: 'float', num_heads: 'int', scale: 'float', unidirectional: 'int' },
  },
  /** onnxruntime's on blocked tensors. */
  'com.microsoft.nchwc': {
    AveragePool: { ...pool, count_include_pad: 'int' },
    Conv: { ...convolution, activation: 'string', activation_params: 'floats' },
    MaxPool: { ...pool, storage_order: 'int' },
    ReorderInput: { channels_last: 'int' },
    ReorderOutput: { channels: 'int', channels_last: 'int' },
    Upsample: { coordinate_transformation_mode: 'string', mode: 'string', scales: 'ints' },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, AttributeKinds>>>>;

type Table = typeof attributeKinds;
/** Values of the attributes that `Kinds` names, as they are written; undefined leaves one out. */
export type AttributeValues<Kinds extends AttributeKinds> = {
  readonly [Name in keyof Kinds]?: ValueOfKind[Kinds[Name]] | undefined;
};
/** Attributes of an operator whose name is known only while running; checked then. */
export type AnyAttributes = Readonly<Record<string, ValueOfKind[AttributeKind] | Attribute | undefined>>;

/**
 * What may be given as the attributes of operator `Op`: those of its row, with their kinds. An operator without a row
 * has none, or has them with their kinds (`{ kind: 'int', value: 1 }`).
 */
export type AttributesOf<Op extends string, Domain extends string = ''> = string extends Op
  ? AnyAttributes
  : Domain extends keyof Table
    ? Op extends keyof Table[Domain]
      ? Table[Domain][Op] extends AttributeKinds
        ? AttributeValues<Table[Domain][Op]>
        : never
      : Readonly<Record<string, Attribute | undefined>>
    : AnyAttributes;

/** The kinds of an operator's attributes. */
export function kindsOf(op: string, domain: string): AttributeKinds {
  const table: Readonly<Record<string, Readonly<Record<string, AttributeKinds>>>> = attributeKinds;
  return table[domain]?.[op] ?? {};
}

/**
 * Attributes as a node holds them.
 * @throws Error when an attribute is none of `kinds` and does not bring its kind, or its value is of another kind.
 */
export function withKinds(attributes: AnyAttributes, kinds: AttributeKinds, op: string): Record<string, Attribute> {
  const result: Record<string, Attribute> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    const kind = kinds[name];
    if (isAttribute(value)) result[name] = value;
    else if (!kind) throw new Error(`operator ${op} has no attribute '${name}' in ir/attributes.ts`);
    else if (!isOfKind(value, kind)) throw new Error(`attribute '${name}' of ${op} is of kind ${kind}, not ${value}`);
    else result[name] = { kind, value } as Attribute;
  }
  return result;
}

function isAttribute(value: NonNullable<AnyAttributes[string]>): value is Attribute {
  return typeof value === 'object' && 'kind' in value;
}

function isOfKind(value: ValueOfKind[AttributeKind], kind: AttributeKind): boolean {
  switch (kind) {
    case 'int':
      return Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'ints':
      return Array.isArray(value) && value.every(Number.isInteger);
    case 'floats':
      return Array.isArray(value) && value.every((v) => typeof v === 'number');
    case 'strings':
      return Array.isArray(value) && value.every((v) => typeof v === 'string');
    case 'tensor':
      return typeof value === 'object' && 'data' in value;
    case 'graph':
      return typeof value === 'object' && 'nodes' in value;
  }
}
