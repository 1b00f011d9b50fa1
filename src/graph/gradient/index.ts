/**
 * Differentiation of graphs: forward graph + loss -> one graph that also computes gradients -> one training step.
 *
 * @example
 * const { graph, running, masks } = trainingForm(model);
 * const withLoss = buildLoss(graph, { logits: 'logits', classes: 10 });
 * const observed = await observe(withLoss, engine, { input: [32, 3, 224, 224], labels: [32] }, masks);
 * const block = await engine.blockWidth();                           // 0 writes standard operators only
 * const keep = running.map((r) => r.output);
 * const differentiated = gradient(withLoss, { loss: 'loss', wrt, observed, keep, block });
 * const step = appendOptimiser(differentiated, parameters, sgd({ momentum: 0.9 }));
 * const program = await engine.compile(step.graph);                  // one run is one step; carry step.state over
 */

export { type GradientOptions, gradient } from './gradient.js';
export { type BuildLossOptions, buildLoss, buildValuedLoss, lossNames, type ValuedLoss } from './loss.js';
export { gradientName } from './names.js';
export * from './optimiser/index.js';
export { differentiableOps } from './rules/index.js';
