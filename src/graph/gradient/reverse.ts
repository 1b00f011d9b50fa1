/** Reverse-mode differentiation: a graph with a scalar loss becomes the same graph with gradients. */
import { UserError } from '../../base/index.js';
import { type Graph, GraphBuilder, type Node, nodeLabel, type ObservedValue, type ValueInfo } from '../../ir/index.js';
import { lowerBlocked } from './blocked.js';
import { expandComposites } from './composites.js';
import { type Dims, Emitter, sameDims } from './emitter.js';
import { gradientName } from './names.js';
import { recogniseGelu } from './recognise.js';
import { type Rule, RuleContext } from './rule.js';
import { ruleOf } from './rules.js';

export { gradientName };

export interface GradientOptions {
  /** Scalar value to differentiate. */
  loss: string;
  /** Constants or inputs to differentiate with respect to; these constants become inputs. */
  wrt: readonly string[];
  /** Type and shape of every value at the batch size that will be run (see observe). */
  observed: ReadonlyMap<string, ObservedValue>;
  /** Outputs of the graph to keep beside the loss, by name; all of them by default. */
  keep?: readonly string[];
  /** Width of the blocked layout to write for (see `blockWidth`); 0, the default, gives standard operators only. */
  block?: number;
}

/**
 * Forward pass, loss and gradients in one graph.
 *
 * Inputs: those of `graph` that are still used, and every name of `wrt`. Outputs: the loss, the kept outputs, and
 * `gradientName(w)` for each w of `wrt`. Nothing is computed that these do not need: the backward pass stops at the
 * lowest trainable weight. Shapes are fixed to the observed ones.
 * @throws UserError when an operator between loss and weights has no rule (operator and node named), when the loss is
 *   not a scalar or does not depend on one of `wrt`.
 */
export function gradient(graph: Graph, options: GradientOptions): Graph {
  const differentiated = differentiate(graph, options);
  return options.block ? lowerBlocked(differentiated, options.block) : expandComposites(differentiated);
}

/** A differentiated graph whose composite operators are not yet written out (see composites.ts). */
export interface Differentiated {
  graph: Graph;
  shapes: Map<string, Dims>;
}

export function differentiate(original: Graph, options: GradientOptions): Differentiated {
  const { loss, wrt, observed } = options;
  const trained = dependent(original, new Set(wrt), reaching(original, new Set([loss])));
  const graph = recogniseGelu(original, trained);
  const shapes = new Map<string, Dims>();
  for (const [name, value] of observed) shapes.set(name, value.dims);
  for (const [name, tensor] of graph.constants) shapes.set(name, tensor.dims);
  const lossDims = shapes.get(loss);
  if (!lossDims) throw new UserError(`the graph has no value '${loss}' to differentiate`);
  if (!lossDims.every((d) => d === 1)) {
    throw new UserError(`the loss '${loss}' is not a scalar but has shape [${lossDims}]`);
  }
  const live = reaching(graph, new Set([loss]));
  const active = dependent(graph, new Set(wrt), live);
  for (const w of wrt) {
    if (!graph.constants.has(w) && !graph.inputs.some((i) => i.name === w)) {
      throw new UserError(`'${w}' is neither a constant nor an input of the graph, so it cannot be trained`);
    }
  }
  // All operators are checked before anything is written, so that training never starts on half a gradient.
  const rules = new Map<Node, Rule>();
  for (const node of graph.nodes) {
    if (live.has(node) && node.outputs.some((o) => active.has(o))) rules.set(node, ruleOf(node));
  }

  const keep = graph.outputs.filter((o) => o.name !== loss && (options.keep?.includes(o.name) ?? true));
  const moved = wrt.filter((w) => graph.constants.has(w));
  const b = new GraphBuilder(
    {
      ...graph,
      inputs: [
        ...graph.inputs.map((i) => ({ ...i, shape: shapes.get(i.name) ?? i.shape })),
        ...moved.map((name): ValueInfo => {
          const tensor = graph.constants.get(name);
          return { name, type: tensor?.type ?? 'float32', shape: tensor?.dims };
        }),
      ],
      outputs: [],
      nodes: [],
      constants: new Map([...graph.constants].filter(([name]) => !wrt.includes(name))),
    },
    'grad',
  );
  // Names of nodes that are still to be written must not be taken.
  for (const node of graph.nodes) for (const name of node.outputs) if (name) b.fresh(name);
  const e = new Emitter(b, shapes, observed.get(loss)?.type ?? 'float32');

  const contexts: RuleContext[] = [];
  for (const node of graph.nodes) {
    const rule = rules.get(node);
    const context = rule && new RuleContext(node, e, graph.constants, active);
    if (context) contexts.push(context);
    if (rule?.forward && context) rule.forward(context);
    else b.add(node);
  }

  const gradients = new Map<string, string>([[loss, e.full(lossDims, 1)]]);
  for (const context of contexts.reverse()) {
    const { node } = context;
    context.outputGradients = node.outputs.map((o) => gradients.get(o));
    if (context.outputGradients.every((g) => g === undefined)) continue;
    const results = (rules.get(node) as Rule).backward(context);
    node.inputs.forEach((input, i) => {
      const g = results[i];
      if (!input || !active.has(input)) return;
      if (g === undefined)
        throw new UserError(`${nodeLabel(node)} cannot be differentiated with respect to input ${i} ('${input}')`);
      if (!sameDims(e.dims(g), e.dims(input))) {
        throw new Error(`gradient of '${input}' by ${nodeLabel(node)} is [${e.dims(g)}], not [${e.dims(input)}]`);
      }
      const before = gradients.get(input);
      gradients.set(input, before === undefined ? g : e.add(before, g));
    });
  }

  b.output(loss, loss, e.type, lossDims);
  for (const o of keep) b.output(o.name, o.name, o.type, shapes.get(o.name) ?? o.shape);
  for (const w of wrt) {
    const g = gradients.get(w);
    if (g === undefined) throw new UserError(`the loss '${loss}' does not depend on '${w}', so it cannot be trained`);
    b.output(g, gradientName(w), e.type, e.dims(w));
    shapes.set(gradientName(w), e.dims(w));
  }
  return { graph: withoutUnused(b.build()), shapes };
}

/** Nodes that contribute to one of `targets`. */
function reaching(graph: Graph, targets: Set<string>): Set<Node> {
  const wanted = new Set(targets);
  const nodes = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((o) => wanted.has(o))) continue;
    nodes.add(node);
    for (const input of node.inputs) if (input) wanted.add(input);
  }
  return nodes;
}

/** Operators through which no gradient flows: their results are piecewise constant or indices. */
const constantOps = new Set(
  'Shape Size ConstantOfShape ArgMax ArgMin OneHot Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf NonZero Floor Ceil Round Sign Range EyeLike'.split(
    ' ',
  ),
);

/** Values among the live ones that depend on `sources`, the sources included. */
function dependent(graph: Graph, sources: Set<string>, live: Set<Node>): Set<string> {
  const values = new Set(sources);
  for (const node of graph.nodes) {
    if (!live.has(node) || constantOps.has(node.op)) continue;
    if (node.inputs.some((i) => values.has(i))) for (const o of node.outputs) if (o) values.add(o);
  }
  return values;
}

/** Drops nodes, constants and inputs that no output needs. Inputs of the user (feeds) stay only when used. */
export function withoutUnused(graph: Graph): Graph {
  const nodes = reaching(graph, new Set(graph.outputs.map((o) => o.name)));
  const used = new Set(graph.outputs.map((o) => o.name));
  for (const node of nodes) for (const input of node.inputs) used.add(input);
  return {
    ...graph,
    nodes: graph.nodes.filter((n) => nodes.has(n)),
    inputs: graph.inputs.filter((i) => used.has(i.name)),
    constants: new Map([...graph.constants].filter(([name]) => used.has(name))),
  };
}
