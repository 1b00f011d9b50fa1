/**
 * A graph as a list of steps, made once: each node's function, where it reads and writes, and which values are needed no
 * more after it. A convolution and the ReLU behind it are one step.
 */
import { UserError } from '../../base/index.js';
import {
  expansions,
  type Graph,
  type Node,
  nodeLabel,
  OPSET,
  opsetOf,
  type Tensor,
  toNumbers,
} from '../../ir/index.js';
import { Refusal } from '../refusal.js';
import { composed } from './composed.js';
import type { Device } from './device.js';
import { conv } from './ops/convolution.js';
import type { Activation } from './ops/convolve.js';
import { operators } from './ops/index.js';
import type { Step } from './ops/op.js';
import { Value } from './value.js';

/** Sets of standard operators that the steps are written for. */
const sets = { oldest: 13, newest: 25 };

interface PlanStep {
  readonly label: string;
  readonly run: Step;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Values that no later step reads. */
  last: readonly string[];
  /** The steps of each branch, where the step is a choice. */
  readonly branches?: readonly [Plan, Plan];
}

export interface Plan {
  readonly steps: readonly PlanStep[];
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Names that a node reads, those in its branches included. */
function reads(node: Node): string[] {
  const inner = Object.values(node.attributes).flatMap((a) =>
    a.kind === 'graph' ? [...a.value.nodes.flatMap(reads), ...a.value.outputs.map((o) => o.name)] : [],
  );
  return [...node.inputs, ...inner].filter((name) => name !== '');
}

/**
 * @param fuse whether nodes may be joined
 * @throws UserError for an operator that this engine lacks, or an operator set that it does not read
 */
export function planOf(device: Device, graph: Graph, fuse: boolean): Plan {
  const opset = opsetOf(graph);
  if (graph.opsets.has('') && (opset > sets.newest || opset < sets.oldest)) {
    const which = opset > sets.newest ? `up to ${sets.newest}: export it with an older set` : `from ${sets.oldest} on`;
    throw new UserError(`the model is written for operator set ${opset}, the engine reads ${which}`);
  }
  return planScope(device, graph, opset, fuse);
}

function planScope(device: Device, graph: Graph, opset: number, fuse: boolean): Plan {
  const known = new Set([...graph.inputs.map((v) => v.name), ...graph.constants.keys()]);
  const uses = countUses(graph);
  const fused = new Set<Node>();
  const steps: PlanStep[] = [];
  for (const node of graph.nodes) {
    if (fused.has(node)) continue;
    const step = { label: nodeLabel(node), inputs: node.inputs, outputs: node.outputs, last: [] };
    if (node.op === 'If' && node.domain === '') {
      const branch = (name: string) => {
        const body = node.attributes[name];
        if (body?.kind !== 'graph') throw new Refusal('graph', `${step.label} has no ${name}`);
        return planScope(device, body.value, opset, fuse);
      };
      steps.push({ ...step, run: () => [], branches: [branch('then_branch'), branch('else_branch')] });
    } else {
      const isStandard = node.domain === '' || node.domain === 'ai.onnx';
      if (isStandard && Object.hasOwn(expansions, node.op) && !operators[node.op]) {
        steps.push({ ...step, run: partsOf(device, node, graph.constants, fuse) });
        for (const name of node.outputs) if (name !== '') known.add(name);
        continue;
      }
      const op = isStandard ? operators[node.op] : undefined;
      if (!op) {
        const name = node.domain ? `${node.domain}:${node.op}` : node.op;
        throw new UserError(
          `the engine tfjs has no operator ${name} (node '${node.name || node.outputs[0]}'): use --engine onnxruntime`,
        );
      }
      const next = fuse && node.op === 'Conv' ? activationBehind(graph, node, uses) : undefined;
      if (next) {
        fused.add(next.node);
        steps.push({ ...step, outputs: next.node.outputs, run: conv({ device, node }, next.activation) });
      } else steps.push({ ...step, run: labelled(step.label, () => op({ device, node, opset })) });
    }
    for (const name of node.outputs) {
      if (name !== '' && known.has(name)) throw new Refusal('graph', `two values are called '${name}'`);
      known.add(name);
    }
  }
  return { ...withLastUses(graph, steps), constants: graph.constants };
}

/** Runs what may find fault with the node. */
function labelled<T>(label: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw explained(label, error);
  }
}

function explained(label: string, error: unknown): Error {
  if (error instanceof UserError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = error instanceof Refusal ? error.kind : 'shape';
  return new Refusal(kind, `the engine failed at ${label}: ${message}`);
}

function countUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(reads), ...graph.outputs.map((o) => o.name)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

/** The ReLU or ReLU6 that alone reads a convolution's result. */
function activationBehind(graph: Graph, node: Node, uses: ReadonlyMap<string, number>) {
  const name = node.outputs[0] as string;
  if (uses.get(name) !== 1) return undefined;
  const next = graph.nodes.find((n) => n.inputs.includes(name));
  if (next?.domain !== '' || next.inputs[0] !== name) return undefined;
  if (next.op === 'Relu') return { node: next, activation: 'relu' as Activation };
  const bound = (at: number) => {
    const tensor = graph.constants.get(next.inputs[at] ?? '');
    return tensor && toNumbers(tensor)[0];
  };
  const isSix = next.op === 'Clip' && bound(1) === 0 && bound(2) === 6;
  return isSix ? { node: next, activation: 'relu6' as Activation } : undefined;
}

/** With each value's end: after the last step that reads it, those that are never read at once. */
function withLastUses(graph: Graph, steps: PlanStep[]): Omit<Plan, 'constants'> {
  const inputs = graph.inputs.map((v) => v.name);
  const outputs = graph.outputs.map((o) => o.name);
  const kept = new Set([...outputs, ...graph.constants.keys(), ...inputs]);
  const own = new Set(steps.flatMap((s) => s.outputs));
  const ended = new Set<string>();
  for (const step of [...steps].reverse()) {
    const inner = step.branches?.flatMap((plan) => plan.steps.flatMap((s) => s.inputs).concat(plan.outputs)) ?? [];
    const touched = [...step.inputs, ...inner, ...step.outputs];
    step.last = [...new Set(touched)].filter(
      (name) => name !== '' && own.has(name) && !kept.has(name) && !ended.has(name),
    );
    for (const name of step.last) ended.add(name);
  }
  return { steps, inputs, outputs };
}

/** The names of values while a plan runs; those of a branch see those around it. */
export class Scope {
  readonly #values = new Map<string, Value>();

  constructor(private readonly outer?: Scope) {}

  get(name: string): Value | undefined {
    return this.#values.get(name) ?? this.outer?.get(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value.hold());
  }

  drop(name: string): void {
    this.#values.get(name)?.release();
    this.#values.delete(name);
  }

  clear(): void {
    for (const value of this.#values.values()) value.release();
    this.#values.clear();
  }
}

/**
 * Runs the steps in a scope that holds constants and inputs.
 * @param wanted the names that are read afterwards; steps that lead to no other value are run all the same
 * @throws Refusal that names the node
 */
export function runPlan(device: Device, plan: Plan, scope: Scope): void {
  for (const step of plan.steps) {
    try {
      const inputs = step.inputs.map((name) => {
        if (name === '') return undefined;
        const value = scope.get(name);
        if (!value) throw new Refusal('graph', `it reads '${name}', which nothing before it computes`);
        return value;
      });
      const results = step.branches ? runBranch(device, step.branches, inputs[0], scope) : step.run(inputs);
      const values = results instanceof Value ? [results] : results;
      step.outputs.forEach((name, i) => {
        const value = values[i];
        if (name === '') return;
        if (!value) throw new Refusal('graph', `output ${i} is not computed by the engine tfjs`);
        scope.set(name, value);
      });
      // Optional results that nobody names.
      for (const value of values) if (value.holders === 0) value.hold().release();
    } catch (error) {
      device.sweep();
      throw explained(step.label, error);
    }
    device.sweep();
    for (const name of step.last) scope.drop(name);
  }
}

function runBranch(
  device: Device,
  [then, otherwise]: readonly [Plan, Plan],
  condition: Value | undefined,
  outer: Scope,
): Value[] {
  return runInner(device, condition?.numbers()[0] ? then : otherwise, new Scope(outer));
}

/** A node in its parts. */
function partsOf(device: Device, node: Node, constants: ReadonlyMap<string, Tensor>, fuse: boolean): Step {
  const plans = new Map<string, { readonly plan: Plan; readonly inputs: readonly number[] }>();
  return (inputs) => {
    const key = inputs.map((value) => value && `${value.type} ${value.dims.join()}`).join(';');
    let found = plans.get(key);
    if (!found) {
      const { graph, inputs: places } = composed(node, inputs, constants);
      found = { plan: planScope(device, graph, OPSET, fuse), inputs: places };
      plans.set(key, found);
    }
    const scope = new Scope();
    for (const i of found.inputs) scope.set(node.inputs[i] as string, inputs[i] as Value);
    const results = new Map(found.plan.outputs.map((name, i) => [name, i]));
    const values = runInner(device, found.plan, scope);
    return node.outputs.map((name) => values[results.get(name) ?? 0] as Value);
  };
}

/** Runs a plan within another one. */
function runInner(device: Device, plan: Plan, scope: Scope): Value[] {
  for (const [name, tensor] of plan.constants) scope.set(name, Value.ofHost(device, tensor));
  runPlan(device, plan, scope);
  const values = plan.outputs.map((name) => scope.get(name) as Value);
  // The results outlive the plan.
  for (const value of values) value.holders++;
  scope.clear();
  for (const value of values) value.holders--;
  return values;
}
