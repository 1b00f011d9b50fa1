import { describe, expect, test } from 'vitest';
import {
  addDecayedWeights,
  addGivenDecay,
  appendOptimiser,
  chain,
  clipByGlobalNorm,
  decayWeights,
  GraphBuilder,
  scaleByAdam,
  scaleByLearningRate,
  scaleByMomentum,
  type Transform,
} from '../../src/graph/index.js';
import { givenDecay, type OptimiserOptions, optimiserDefaults, optimiserOf } from '../../src/transfer/optimiser.js';

function stepOf(optimiser: Transform) {
  const b = new GraphBuilder();
  b.output(b.scale(b.input('w', 'float32', [3]), 2), 'gradient/w', 'float32', [3]);
  return appendOptimiser(b.build(), [{ name: 'w', dims: [3] }], optimiser);
}

describe('the settings of the optimiser are a chain', () => {
  const rate = scaleByLearningRate();
  test.each<[string, Partial<OptimiserOptions>, Transform]>([
    ['nothing said: SGD with momentum', {}, chain(scaleByMomentum(0.9), rate)],
    ['coupled decay', { weightDecay: 0.1 }, chain(addDecayedWeights(0.1), scaleByMomentum(0.9), rate)],
    [
      'AdamW, clipped',
      { method: 'adam', weightDecay: 0.1, decayMode: 'decoupled', clipNorm: 1, beta2: 0.99 },
      chain(clipByGlobalNorm(1), decayWeights(0.1), scaleByAdam({ beta2: 0.99 }), rate),
    ],
    [
      "Kornblith's decay, fed in every step: one step serves the whole grid",
      { weightDecay: 0.1, decayMode: 'kornblith', nesterov: true },
      chain(addGivenDecay(), scaleByMomentum(0.9, { nesterov: true }), rate),
    ],
  ])('%s', (_, options, expected) => {
    expect(stepOf(optimiserOf({ ...optimiserDefaults, ...options }))).toEqual(stepOf(expected));
  });

  test('the fed decay is divided by the peak of the learning rate, in single precision', () => {
    const optimiser = { ...optimiserDefaults, weightDecay: 0.1, decayMode: 'kornblith' } as const;
    expect(givenDecay({ optimiser, learningRate: 0.3 })).toBe(Math.fround(Math.fround(0.1) / Math.fround(0.3)));
    expect(givenDecay({ optimiser: { ...optimiser, weightDecay: 0 }, learningRate: 0.3 })).toBe(0);
  });
});
