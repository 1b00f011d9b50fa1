/** Finds where a non-finite loss arose. */
import { WorkError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { nodeLabel, type Tensor } from '../graph/index.js';
import type { Slot, StepGraph } from './step.js';

/** The loss or the weights of a run are no longer finite: its settings do not serve. */
export class Divergence extends WorkError {}

/** Name of the layer that a weight or a node belongs to, for messages. */
export type LayerOf = (value: string) => string | undefined;

/**
 * The error to stop with after a step whose loss was not finite: it names the step and the layer whose values were the first to be so.
 * @param feeds what the step was run with, and `state` before it
 */
export async function explainDivergence(
  engine: Engine,
  step: StepGraph,
  feeds: Readonly<Record<string, Tensor>>,
  state: ReadonlyMap<string, Tensor>,
  at: { step: number; epoch: number },
  layerOf: LayerOf,
): Promise<Divergence> {
  const where = `training diverged in step ${at.step + 1} (epoch ${at.epoch + 1})`;
  const remedy = 'lower the learning rate (--lr), add warm-up (--warmup) or clip gradients (--clip)';
  const weight = firstBadSlot(step.slots, state);
  if (weight) {
    const layer = layerOf(weight);
    return new Divergence(
      `${where}: ${inLayer(layer)}the weight '${weight}' was not finite after the update before; ${remedy}`,
    );
  }
  const first = await firstBadValue(engine, step, feeds, state);
  const text = first
    ? `${inLayer(layerOf(first.value))}${first.label} was the first whose values were not finite`
    : 'the loss is not finite';
  return new Divergence(`${where}: ${text}; ${remedy}`);
}

function inLayer(layer: string | undefined): string {
  return layer === undefined ? '' : `in layer ${layer}, `;
}

/** First state tensor, in the order of the network, with a NaN or an infinity. */
export function firstBadSlot(slots: readonly Slot[], state: ReadonlyMap<string, Tensor>): string | undefined {
  return slots.find(({ input }) => !allFinite(state.get(input)?.data as Float32Array))?.input;
}

function allFinite(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return false;
  return true;
}

/** Runs the forward pass with every value exposed and returns the first node, in topological order, with a bad one. */
async function firstBadValue(
  engine: Engine,
  { forward }: StepGraph,
  feeds: Readonly<Record<string, Tensor>>,
  state: ReadonlyMap<string, Tensor>,
): Promise<{ value: string; label: string } | undefined> {
  const values = forward.nodes.flatMap((n) => n.outputs.filter((name) => name !== ''));
  const program = await engine.compile({ ...forward, outputs: values.map((name) => ({ name })) }, { optimize: 'none' });
  try {
    const all: Record<string, Tensor> = {};
    for (const name of program.inputs) all[name] = (feeds[name] ?? state.get(name)) as Tensor;
    const results = await program.run(all);
    for (const node of forward.nodes) {
      const bad = node.outputs.some((name) => {
        const tensor = results[name];
        return tensor?.type === 'float32' && !allFinite(tensor.data as Float32Array);
      });
      if (bad) return { value: node.outputs[0] as string, label: nodeLabel(node) };
    }
    return undefined;
  } finally {
    await program.dispose();
  }
}
