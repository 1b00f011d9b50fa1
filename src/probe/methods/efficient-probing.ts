/**
 * Efficient probing (arXiv 2506.10178) and attentive pooling: learned queries attend over the positions of one layer (see
 * attention/efficient-probing.ts). What they read is a store of `extract --tokens TAP`.
 *
 * As published, but: AdamW on batches of a small data set in place of LARS on ImageNet, positions are standardised, and the
 * number of queries and the learning rate are chosen on a validation split, where the paper takes the best epoch on its test set.
 */
import { roughPercent } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import { efficientProbing as networkOf } from '../attention/efficient-probing.js';
import { type LayerTokens, positionTokens } from '../attention/tokens.js';
import type { MethodContext } from '../context.js';
import { fitAttention } from '../fitting/attention.js';
import type { Fit, ProbeMethod } from './method.js';

const layersOf = ({ train, taps }: Pick<MethodContext, 'train' | 'taps'>): LayerTokens =>
  positionTokens(taps, train.matrix.offsets);

function fit(context: MethodContext): Promise<Fit> {
  const { classes, options } = context;
  const { queries, learningRates, weightDecays, ...recipe } = options.efficient;
  const layers = layersOf(context);
  const shape = { tokens: layers.tokens.length, width: layers.width, classes };
  const candidates = queries.flatMap((count) => {
    const network = networkOf(shape, count);
    return learningRates.flatMap((learningRate) =>
      weightDecays.map((weightDecay) => ({
        settings: { queries: network.heads, learningRate, weightDecay },
        network,
        training: { learningRate, weightDecay, dropout: 0 },
      })),
    );
  });
  return fitAttention(context, {
    method: 'efficient-probing',
    layers,
    candidates,
    recipe: { ...recipe, jitter: 0 },
    seeds: 1,
    notes: (mass) => notesOf(layers, mass),
  });
}

function notesOf({ tokens, width }: LayerTokens, mass: Float64Array): string[] {
  const apart = tokens.flatMap(({ name }, t) => (/\(token \d+\)$/.test(name) ? [t] : []));
  const alias = (tokens[0]?.name ?? '').replace(/ \([a-z]+ \d+\)$/, '');
  const share = apart.reduce((sum, t) => sum + (mass[t] as number), 0);
  return [
    `reads ${tokens.length} positions of ${alias}, ${width} values each`,
    ...(apart.length > 0
      ? [
          `attention to ${apart.length === 1 ? 'the token apart' : `the ${apart.length} tokens apart`}: ${roughPercent(share)}`,
        ]
      : []),
  ];
}

export const efficientProbing: ProbeMethod = {
  card: {
    id: 'efficient-probing',
    label: 'Efficient probing',
    plain: 'attention over the positions of a layer (EP)',
    advice: 'train attention over the positions of a layer (Efficient probing)',
    title:
      'efficient probing: learned queries attend over the positions of one layer (EP; with one query attentive pooling)',
    reads: 'last layer',
    role: 'candidate',
    simplicity: 2,
    light: '#7a4a12',
    dark: '#e0b070',
    shape: shapes.star,
  },
  seconds: 300,
  pools: 'each',
  choose: 'accuracy',
  check: (context) => void layersOf(context),
  fit,
};
