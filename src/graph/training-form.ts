/** The training form of a network: batch norms on batch statistics, dropout by masks that are fed. */
import { type Random, UserError } from '../base/index.js';
import {
  floatAttribute,
  type Graph,
  GraphBuilder,
  type Node,
  nodeLabel,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../ir/index.js';
import type { BroadcastInput } from './observe.js';
import { pixelDependent } from './pixel-dependent.js';
import { prune } from './prune.js';

/** What of a network behaves as in training. */
export interface TrainingFormOptions {
  /** Nodes that stay as they are at inference: their norms keep the running averages, their dropout stays off. */
  frozen?: (node: Node) => boolean;
  /** Weight of the old running averages: new = momentum * old + (1 - momentum) * batch. The nodes' own by default. */
  momentum?: number;
  /** Probability of dropping, for Dropout nodes that do not say; a file's own ratio wins. */
  dropout?: number;
}

/** A running average carried from step to step: feed it as `input`, take it back from `output`. */
export interface RunningSlot {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  readonly initial: Tensor;
}

/** A dropout mask to feed: uint8, 1 keeps; shaped as the value it falls on (known once observed). */
export interface DropoutMask extends BroadcastInput {
  readonly ratio: number;
}

/** A network as it is trained: norms use batches, and their running averages are outputs. */
export interface TrainingForm {
  readonly graph: Graph;
  readonly running: readonly RunningSlot[];
  readonly masks: readonly DropoutMask[];
}

/**
 * Turns every batch norm that is not frozen to batch statistics (opset 15's training_mode), its running averages
 * becoming inputs and outputs, and every Dropout that is not frozen into a product with a mask that is fed: the same
 * mask gives the same step on every engine, which a runtime's own random numbers would not. A norm of what no image
 * reaches standardises weights: it has no running averages, and stays as it is.
 * @throws UserError when two batch norms share their running averages (see ownConstants), or one computes them
 */
export function trainingForm(graph: Graph, options: TrainingFormOptions = {}): TrainingForm {
  const { frozen = () => false, momentum } = options;
  const b = GraphBuilder.rewriting(graph, 'train');
  const running: RunningSlot[] = [];
  const masks: DropoutMask[] = [];
  const moved = new Set<string>();
  const dependent = pixelDependent(graph);
  for (const node of graph.nodes) {
    if (node.domain !== '' || frozen(node)) b.append(node);
    else if (node.op === 'BatchNormalization' && dependent.has(node.inputs[0] ?? '')) {
      const averages = node.inputs.slice(3, 5).map((name) => {
        const initial = graph.constants.get(name);
        if (!initial) throw new UserError(`${nodeLabel(node)} computes its running averages, so it cannot be trained`);
        if (moved.has(name))
          throw new UserError(`${nodeLabel(node)} shares its running average '${name}' with another`);
        const output = b.fresh(`next/${name}`);
        running.push({ input: name, output, dims: initial.dims, initial });
        moved.add(name);
        return output;
      });
      b.append({
        ...node,
        outputs: [node.outputs[0] as string, ...averages],
        attributes: {
          ...node.attributes,
          training_mode: { kind: 'int', value: 1 },
          momentum: { kind: 'float', value: momentum ?? floatAttribute(node, 'momentum', 0.9) },
        },
      });
    } else if (node.op === 'Dropout') {
      const given = graph.constants.get(node.inputs[1] ?? '');
      const ratio = given ? (toNumbers(given)[0] as number) : floatAttribute(node, 'ratio', options.dropout ?? 0.5);
      const [x, y] = [node.inputs[0] as string, node.outputs[0] as string];
      const mask = b.input(`dropout_mask/${y}`, 'uint8');
      const kept = b.mul(b.cast(mask, 'float32'), b.scalar(1 / (1 - ratio)));
      b.node('Mul', [x, kept], [y]);
      masks.push({ input: mask, value: y, ratio });
    } else b.append(node);
  }
  for (const slot of running) {
    b.output(slot.output, slot.output, 'float32', slot.dims);
  }
  const built = b.build();
  const inputs = running.map((slot) => ({ name: slot.input, type: slot.initial.type, shape: slot.dims }));
  const constants = new Map([...built.constants].filter(([name]) => !moved.has(name)));
  return { graph: prune({ ...built, inputs: [...built.inputs, ...inputs], constants }), running, masks };
}

/** Mask of a dropout layer for one step: each element kept with probability 1 - ratio. */
export function dropoutMask(random: Random, dims: readonly number[], ratio: number): Tensor {
  const data = new Uint8Array(sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = random.uniform() < ratio ? 0 : 1;
  return { type: 'uint8', dims, data };
}
