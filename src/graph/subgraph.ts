/** Cutting a piece out of a graph. */
import { UserError } from '../base/index.js';
import type { Graph, ValueInfo } from '../ir/index.js';
import { prune, reads } from './prune.js';

/**
 * The part of a graph that computes `outputs` from `inputs`. An input may be any value: its producer is left out.
 * A name alone stands for a float32 value of unknown shape, or for the graph's own declaration of it.
 * @throws UserError when a value does not exist or when an output needs an input of the graph that is not listed.
 */
export function subgraph(
  graph: Graph,
  inputs: readonly (string | ValueInfo)[],
  outputs: readonly (string | ValueInfo)[],
): Graph {
  const declared = new Map([...graph.inputs, ...graph.outputs].map((v) => [v.name, v]));
  const known = new Set([...graph.inputs.map((v) => v.name), ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) known.add(name);
  const resolve = (value: string | ValueInfo): ValueInfo => {
    const info = typeof value === 'string' ? (declared.get(value) ?? { name: value }) : value;
    if (!known.has(info.name))
      throw new UserError(`the model has no value '${info.name}'; toehold taps lists its taps`);
    return info;
  };
  const newInputs = inputs.map((v): ValueInfo => ({ ...resolve(v), type: resolve(v).type ?? 'float32' }));
  const given = new Set(newInputs.map((v) => v.name));
  const cut = prune({
    ...graph,
    inputs: graph.inputs,
    outputs: outputs.map(resolve),
    // An output of a kept node may be an input here; renaming it keeps every value defined once.
    nodes: graph.nodes
      .filter((node) => node.outputs.some((name) => name !== '' && !given.has(name)))
      .map((node) => ({ ...node, outputs: node.outputs.map((name) => (given.has(name) ? `${name}.unused` : name)) })),
    constants: new Map([...graph.constants].filter(([name]) => !given.has(name))),
  });
  const read = new Set([...cut.nodes.flatMap(reads), ...cut.outputs.map((v) => v.name)]);
  const missing = graph.inputs.find((v) => read.has(v.name) && !given.has(v.name));
  if (missing) {
    throw new UserError(
      `the part between '${[...given]}' and '${cut.outputs.map((v) => v.name)}' also needs the input '${missing.name}'`,
    );
  }
  return { ...cut, inputs: newInputs };
}
