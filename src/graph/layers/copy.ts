/** Layer copy: weights of one network's first layers in another, and fresh ones above. */
import { Random, UserError } from '../../base/index.js';
import { float32, type Graph, intAttribute, sizeOf, type Tensor } from '../../ir/index.js';
import { type Initialisation, initialWeight } from '../initialisation.js';
import { type LearnedLayer, learnedLayers } from './find.js';
import { outputAxis, type Parameter } from './parameters.js';

/**
 * `to` with the parameters and running statistics of the first `count` learned layers of `from`. Layers correspond by
 * their order, parameters by role and shape; names do not matter.
 * @throws UserError when the count is out of range, or a layer differs in kind or shape (both are shown).
 */
export function copyLayers(from: Graph, to: Graph, count: number): Graph {
  const [source, target] = [learnedLayers(from), learnedLayers(to)];
  const most = Math.min(source.length, target.length);
  if (!Number.isInteger(count) || count < 0 || count > most) {
    throw new UserError(
      `cannot copy ${count} layers: the networks have ${source.length} and ${target.length} learned layers; choose 0 to ${most}`,
    );
  }
  const constants = new Map(to.constants);
  for (let i = 0; i < count; i++) {
    const [a, b] = [source[i] as LearnedLayer, target[i] as LearnedLayer];
    const [shown, wanted] = [describe(a), describe(b)];
    if (shown !== wanted) {
      throw new UserError(
        `layer ${i + 1} cannot be copied: '${a.name}' has ${shown}, '${b.name}' has ${wanted}; the networks must be built alike`,
      );
    }
    b.parameters.forEach((p, k) => {
      constants.set(p.name, from.constants.get(a.parameters[k]?.name ?? '') as Tensor);
    });
  }
  return { ...to, constants };
}

/** Kind and shapes of a layer. */
function describe(layer: LearnedLayer): string {
  const weight = layer.parameters.find((p) => p.role === 'weight');
  const axis = weight && outputAxis(layer.node, weight.name) === 1 ? ', inputs first' : '';
  const group = intAttribute(layer.node, 'group', 1);
  const groups = group > 1 ? ` of ${group} groups` : '';
  return `${layer.node.op}${groups} (${layer.parameters.map((p) => `${p.role} [${p.dims}]`).join(', ')}${axis})`;
}

/** How fresh weights are drawn. */
export interface ReinitialiseOptions {
  init: Initialisation;
  seed: number | string;
}

/**
 * The graph with fresh parameters from learned layer `first` on (0 for all): weights drawn, normalisations at the
 * identity, biases at zero. Each layer draws from a stream of its own, so cells of different `first` share what is fresh.
 * @throws UserError when `first` is out of range.
 */
export function reinitialise(graph: Graph, first: number, { init, seed }: ReinitialiseOptions): Graph {
  const layers = learnedLayers(graph);
  if (!Number.isInteger(first) || first < 0 || first > layers.length) {
    throw new UserError(`there is no layer ${first}: the network has ${layers.length} learned layers, counted from 0`);
  }
  const constants = new Map(graph.constants);
  for (const layer of layers.slice(first)) {
    layer.parameters.forEach((p, k) => {
      const random = new Random(seed, 'reinitialise', layer.index, k);
      constants.set(p.name, fresh(layer, p, layers.length, init, random));
    });
  }
  return { ...graph, constants };
}

function fresh(layer: LearnedLayer, p: Parameter, layers: number, init: Initialisation, random: Random): Tensor {
  switch (p.role) {
    case 'weight': {
      // Caffe's networks draw their hidden dense layers narrower.
      const hidden = layer.node.op !== 'Conv' && layer.index < layers - 1;
      return initialWeight(init, p.dims, random, {
        outAxis: outputAxis(layer.node, p.name),
        groups: intAttribute(layer.node, 'group', 1),
        deviation: hidden ? 0.005 : 0.01,
      });
    }
    case 'scale':
    case 'variance':
      return filled(p.dims, 1);
    case 'slope':
      return filled(p.dims, 0.25);
    case 'token':
      return initialWeight('truncated', p.dims, random);
    default:
      return filled(p.dims, 0);
  }
}

const filled = (dims: readonly number[], value: number) => float32(dims, new Float32Array(sizeOf(dims)).fill(value));
