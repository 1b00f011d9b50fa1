/** Reverse-mode differentiation: a graph with a scalar loss becomes the same graph with gradients. */
import { UserError } from '../../base/index.js';
import {
  type Dims,
  Emitter,
  expanded,
  type Graph,
  intAttribute,
  type Node,
  type NumericType,
  nodeLabel,
  type ObservedValue,
  sameDims,
  typeOfNumber,
} from '../../ir/index.js';
import { prune } from '../prune.js';
import { gradientName } from './names.js';
import { recogniseGelu } from './recognise-gelu.js';
import { ruleOf } from './rules/index.js';
import { type Rule, RuleContext } from './rules/rule.js';

export interface DifferentiateOptions {
  /** Scalar value to differentiate. */
  loss: string;
  /** Constants or inputs to differentiate with respect to; these constants become inputs. */
  wrt: readonly string[];
  /** Type and shape of every value at the batch size that will be run (see observe). */
  observed: ReadonlyMap<string, ObservedValue>;
  /** Outputs of the graph to keep beside the loss, by name; all of them by default. */
  keep?: readonly string[];
}

/** A graph with its gradients whose composites are not yet written out (see composites/). */
export interface Differentiated {
  readonly graph: Graph;
  /** Of every value of the graph. */
  readonly shapes: Map<string, Dims>;
  /** Element type of the loss. */
  readonly type: NumericType;
}

/** See `gradient`, which also writes the composites out. */
export function differentiate(original: Graph, options: DifferentiateOptions): Differentiated {
  const { loss, wrt, observed } = options;
  const shapes = new Map<string, Dims>();
  for (const [name, value] of observed) shapes.set(name, value.dims);
  for (const [name, tensor] of original.constants) shapes.set(name, tensor.dims);
  checkRequest(original, shapes, options);
  const type = observed.get(loss)?.type === 'float64' ? 'float64' : 'float32';
  const trained = dependent(original, wrt, reaching(original, loss), observed);
  const graph = expanded(recogniseGelu(original, trained), trained, observed, shapes, type, 'cannot be differentiated');
  const live = reaching(graph, loss);
  const active = dependent(graph, wrt, live, observed);
  const rules = rulesOf(graph, active, live);
  checkPrecision(rules, active, observed, type);
  const e = emitterFor(graph, wrt, shapes, type);
  const contexts = writeForward(graph, e, rules, active, observed);
  const gradients = writeBackward(e, contexts, active, loss);
  declareOutputs(graph, e, gradients, options);
  // Inputs of the user (feeds) stay only when used.
  return { graph: prune(e.build(), { inputs: true }), shapes, type };
}

function checkRequest(graph: Graph, shapes: ReadonlyMap<string, Dims>, { loss, wrt }: DifferentiateOptions): void {
  const dims = shapes.get(loss);
  if (!dims) throw new UserError(`the graph has no value '${loss}' to differentiate`);
  if (!dims.every((d) => d === 1)) throw new UserError(`the loss '${loss}' is not a scalar but has shape [${dims}]`);
  for (const w of wrt) {
    if (!graph.constants.has(w) && !graph.inputs.some((i) => i.name === w)) {
      throw new UserError(`'${w}' is neither a constant nor an input of the graph, so it cannot be trained`);
    }
  }
}

/** @throws UserError when gradients would pass from one precision to another, naming the node. */
function checkPrecision(
  rules: ReadonlyMap<Node, Rule>,
  active: ReadonlySet<string>,
  observed: DifferentiateOptions['observed'],
  type: NumericType,
): void {
  for (const node of rules.keys()) {
    const other = node.outputs.find((o) => active.has(o) && (observed.get(o)?.type ?? type) !== type);
    if (!other) continue;
    throw new UserError(
      `${nodeLabel(node)} computes in ${observed.get(other)?.type}, the loss in ${type}, so it cannot be differentiated; export the model in one precision`,
    );
  }
}

/** Rules of all nodes that gradients pass. Looked up before anything is written: training never starts on half a gradient. */
function rulesOf(graph: Graph, active: ReadonlySet<string>, live: ReadonlySet<Node>): Map<Node, Rule> {
  const passed = graph.nodes.filter((node) => live.has(node) && node.outputs.some((o) => active.has(o)));
  return new Map(passed.map((node) => [node, ruleOf(node)]));
}

/** An emitter with everything of the graph but its nodes, whose names are taken; trained constants are inputs. */
function emitterFor(graph: Graph, wrt: readonly string[], shapes: Map<string, Dims>, type: NumericType): Emitter {
  const moved = wrt.flatMap((name) => {
    const tensor = graph.constants.get(name);
    return tensor ? [{ name, type: tensor.type, shape: tensor.dims }] : [];
  });
  const declared = graph.inputs.map((i) => ({ ...i, shape: shapes.get(i.name) ?? i.shape }));
  const base: Graph = {
    ...graph,
    inputs: [...declared, ...moved],
    outputs: [],
    nodes: [],
    constants: new Map([...graph.constants].filter(([name]) => !wrt.includes(name))),
  };
  const e = new Emitter(base, 'grad', shapes, type);
  e.reserve(graph);
  return e;
}

interface Differentiation {
  readonly rule: Rule;
  readonly context: RuleContext;
}

/** The forward pass, node by node; where a rule has one, in its own form. */
function writeForward(
  graph: Graph,
  e: Emitter,
  rules: ReadonlyMap<Node, Rule>,
  active: ReadonlySet<string>,
  observed: DifferentiateOptions['observed'],
): Differentiation[] {
  return graph.nodes.flatMap((node) => {
    const rule = rules.get(node);
    if (!rule) {
      e.append(node);
      return [];
    }
    const context = new RuleContext(node, e, graph.constants, active, observed);
    if (rule.forward) rule.forward(context);
    else e.append(node);
    return [{ rule, context }];
  });
}

/** The backward pass, last node first. @returns the gradient of every value that has one */
function writeBackward(
  e: Emitter,
  differentiations: readonly Differentiation[],
  active: ReadonlySet<string>,
  loss: string,
): Map<string, string> {
  const gradients = new Map<string, string>([[loss, e.full(e.dims(loss), 1)]]);
  for (const { rule, context } of differentiations.toReversed()) {
    const { node } = context;
    context.outputGradients = node.outputs.map((o) => gradients.get(o));
    if (context.outputGradients.every((g) => g === undefined)) continue;
    const results = rule.backward(context);
    node.inputs.forEach((input, i) => {
      if (!input || !active.has(input)) return;
      const g = results[i];
      if (g === undefined) {
        throw new UserError(`${nodeLabel(node)} cannot be differentiated with respect to input ${i} ('${input}')`);
      }
      if (!sameDims(e.dims(g), e.dims(input))) {
        throw new Error(`gradient of '${input}' by ${nodeLabel(node)} is [${e.dims(g)}], not [${e.dims(input)}]`);
      }
      const before = gradients.get(input);
      gradients.set(input, before === undefined ? g : e.add(before, g));
    });
  }
  return gradients;
}

function declareOutputs(
  graph: Graph,
  e: Emitter,
  gradients: ReadonlyMap<string, string>,
  { loss, wrt, keep }: DifferentiateOptions,
): void {
  e.output(loss, loss, e.type, e.dims(loss));
  for (const { name, type, shape } of graph.outputs) {
    if (name !== loss && (keep?.includes(name) ?? true)) e.output(name, name, type, e.shapes.get(name) ?? shape);
  }
  for (const w of wrt) {
    const g = gradients.get(w);
    if (g === undefined) throw new UserError(`the loss '${loss}' does not depend on '${w}', so it cannot be trained`);
    e.output(g, gradientName(w), e.type, e.dims(w));
    e.shapes.set(gradientName(w), e.dims(w));
  }
}

/** Nodes that contribute to a value. */
function reaching(graph: Graph, target: string): Set<Node> {
  const wanted = new Set([target]);
  const nodes = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((o) => wanted.has(o))) continue;
    nodes.add(node);
    for (const input of node.inputs) if (input) wanted.add(input);
  }
  return nodes;
}

/** Operators through which no gradient flows: their results are piecewise constant or indices. */
const constantOps = new Set([
  'Shape',
  'Size',
  'ConstantOfShape',
  'ArgMax',
  'ArgMin',
  'OneHot',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'Not',
  'And',
  'Or',
  'Xor',
  'IsNaN',
  'IsInf',
  'NonZero',
  'Floor',
  'Ceil',
  'Round',
  'Sign',
  'Range',
  'EyeLike',
]);

/** Floats among the live values that depend on `sources`, the sources included. Indices and masks are no functions of them. */
function dependent(
  graph: Graph,
  sources: Iterable<string>,
  live: ReadonlySet<Node>,
  observed: DifferentiateOptions['observed'],
): Set<string> {
  const values = new Set(sources);
  const isFloat = (type: string | undefined) => type === undefined || type.startsWith('float');
  for (const node of graph.nodes) {
    if (!live.has(node) || constantOps.has(node.op)) continue;
    if (node.op === 'Cast' && !isFloat(typeOfNumber(intAttribute(node, 'to', 0)))) continue;
    if (!node.inputs.some((i) => values.has(i))) continue;
    for (const o of node.outputs) if (o && isFloat(observed.get(o)?.type)) values.add(o);
  }
  return values;
}
