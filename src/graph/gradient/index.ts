/**
 * Differentiation of graphs: forward graph + loss -> one graph that also computes gradients -> one training step.
 *
 * @example
 * const withLoss = buildLoss(trainingForm(model).graph, { logits: 'logits', classes: 10 });
 * const observed = await observe(engine, withLoss, feeds);          // shapes at the batch size that is trained
 * const step = appendOptimiser(gradient(withLoss, { loss: 'loss', wrt, observed }), { ... });
 * const program = await engine.compile(step.graph);                  // one run = one step; swap step.state each time
 */

export { blockWidth } from './block-width.js';
export { type BuildLossOptions, buildLoss, lossNames } from './loss.js';
export {
  appendOptimiser,
  type OptimiserParameter,
  type OptimiserSpec,
  optimiserDefaults,
  type StateSlot,
  type TrainingStep,
} from './optimiser.js';
export { type GradientOptions, gradient, gradientName } from './reverse.js';
export { differentiableOps } from './rules.js';
