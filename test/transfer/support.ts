/** A small task and a small network, quick enough to train in tests. */
import { Random } from '../../src/base/index.js';
import { type Preprocess, parsePreprocess } from '../../src/data/index.js';
import { float32, type Graph, GraphBuilder, initialWeight } from '../../src/graph/index.js';
import { ofClasses, score } from '../../src/record/index.js';
import {
  imagesInMemory,
  type LabelledImages,
  mergeOptions,
  type TrainRequest,
  type TrainResult,
} from '../../src/transfer/index.js';

export const side = 12;
export const preprocess: Preprocess = parsePreprocess({ size: side, mean: 0.5, std: 0.25 }, 'test');
export const classes = ['red left', 'red right', 'blue left', 'blue right'];

/** n images of noise with a bright red or blue bar in the left or right half. */
export function bars(n: number, seed: number): LabelledImages {
  const random = new Random(seed, 'bars');
  const data = new Uint8Array(n * side * side * 3);
  const labels = Int32Array.from({ length: n }, (_, i) => i % classes.length);
  labels.forEach((label, i) => {
    const column = random.integer(side / 2 - 1) + (label % 2) * (side / 2);
    for (let p = 0; p < side * side; p++) {
      const at = (i * side * side + p) * 3;
      for (let c = 0; c < 3; c++) data[at + c] = random.integer(140);
      const x = p % side;
      if (x === column || x === column + 1) data[at + (label < 2 ? 0 : 2)] = 230;
    }
  });
  return imagesInMemory(data, [side, side], labels);
}

export interface NetOptions {
  outputs?: number;
  seed?: number;
  dropout?: boolean;
  width?: number;
}

/** Three convolutions with live norms, then a classifier: four learned layers, input (N, 3, side, side). */
export function smallNet({ outputs = classes.length, seed = 0, dropout = false, width = 8 }: NetOptions = {}): Graph {
  const b = new GraphBuilder();
  let x = b.input('image', 'float32', ['N', 3, side, side]);
  let channels = 3;
  const fill = (n: number, v: number) => float32([n], new Float32Array(n).fill(v));
  for (const [i, c] of [width, width, 2 * width].entries()) {
    const name = `conv${i + 1}`;
    const weight = initialWeight('he', [c, channels, 3, 3], new Random(seed, name));
    const conv = b.op(
      'Conv',
      [x, b.constant(weight, `${name}.weight`)],
      { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: i === 1 ? [2, 2] : [1, 1] },
      name,
    );
    const norm = ['scale', 'shift', 'mean', 'variance'].map((role) =>
      b.constant(fill(c, role === 'scale' || role === 'variance' ? 1 : 0), `${name}.${role}`),
    );
    x = b.op(
      'Relu',
      [b.op('BatchNormalization', [conv, ...norm], { epsilon: 1e-5 }, `norm${i + 1}`)],
      {},
      `relu${i + 1}`,
    );
    channels = c;
  }
  x = b.op('Flatten', [b.op('MaxPool', [x], { kernel_shape: [3, 3], strides: [3, 3] })], { axis: 1 }, 'features');
  b.output(x, 'features', 'float32');
  if (dropout) x = b.op('Dropout', [x, b.scalar(0.25)], {}, 'dropped');
  const weight = b.constant(initialWeight('he', [outputs, channels * 4], new Random(seed, 'fc')), 'fc.weight');
  b.output(b.op('Gemm', [x, weight, b.constant(fill(outputs, 0), 'fc.bias')], { transB: 1 }, 'logits'));
  return b.build();
}

/** Where the predictions of a request's test images meet their labels. */
export function testAccuracy({ predictions }: TrainResult): number {
  if (!predictions) throw new Error('nothing was predicted');
  return score(ofClasses(predictions), { kind: 'class', classes, labels: bars(40, 2).labels }).accuracy;
}

/** A complete request on the bars; override what a test is about. */
export function request(overrides: Partial<TrainRequest> = {}): TrainRequest {
  return {
    model: smallNet(),
    fresh: true,
    treatment: { name: 'scratch' },
    classes,
    preprocess,
    train: bars(64, 1),
    test: bars(40, 2),
    options: mergeOptions(undefined, { epochs: 4, batch: 16, learningRate: 0.05 }),
    init: 'he',
    unfoldNorms: 'no',
    ...overrides,
  };
}
