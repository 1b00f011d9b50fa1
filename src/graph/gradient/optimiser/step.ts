/** One step of training as one graph: gradients in, updated weights and state out. */
import { UserError } from '../../../base/index.js';
import type { Graph } from '../../../ir/index.js';
import { gradientName } from '../names.js';
import { type OptimiserParameter, type RateName, type StateSlot, StepBuilder, type Update } from './step-builder.js';
import type { Transform } from './transforms.js';

/** One step of training as a graph: batch and state in, loss and next state out. */
export interface TrainingStep {
  /**
   * Feeds: the gradient graph's inputs, every slot's `input`, and the scalars. Outputs: those of the gradient graph
   * except gradients, every slot's `output`, and `gradient_norm` when the norm is clipped.
   */
  readonly graph: Graph;
  readonly state: readonly StateSlot[];
  /** The scalar float32 feeds that this optimiser wants. */
  readonly scalars: readonly RateName[];
}

/**
 * Replaces the gradients among the outputs of `graph` (made by `gradient`) by updated weights and the optimiser's state.
 * @throws UserError when a parameter has no gradient there.
 */
export function appendOptimiser(
  graph: Graph,
  parameters: readonly OptimiserParameter[],
  optimiser: Transform,
): TrainingStep {
  const gradients = new Set(parameters.map((p) => gradientName(p.name)));
  for (const { name } of parameters) {
    if (!graph.outputs.some((o) => o.name === gradientName(name))) {
      throw new UserError(`parameter '${name}' has no gradient: list it in \`wrt\` and let the loss depend on it`);
    }
  }
  const b = new StepBuilder({ ...graph, outputs: graph.outputs.filter((o) => !gradients.has(o.name)) }, 'opt');
  const updates = parameters.map((p): Update => ({ parameter: p, weight: p.name, step: gradientName(p.name) }));
  for (const { parameter, weight, step } of optimiser(b, updates)) {
    const { name, dims } = parameter;
    b.carry(b.sub(weight, step), { input: name, dims, kind: 'weight', weight: name });
  }
  return { graph: b.build(), state: b.state, scalars: b.scalars };
}

/** The step with an average beside every weight: average <- decay * average + (1 - decay) * weight, after the update. */
export function withAverages({ graph, state, scalars }: TrainingStep, decay: number): TrainingStep {
  const b = new StepBuilder(graph, 'average');
  for (const { weight, output, dims } of state.filter((s) => s.kind === 'weight')) {
    const average = b.input(`average/${weight}`, 'float32', dims);
    const next = b.add(b.mul(average, b.scalar(decay)), b.mul(output, b.scalar(1 - decay)));
    b.carry(next, { input: average, dims, kind: 'average', weight });
  }
  return { graph: b.build(), state: [...state, ...b.state], scalars };
}
