/**
 * Attentive Layer Fusion (arXiv 2601.09322, ICML 2026) on stored features: one learned query attends over the vectors of all
 * taps (see attention/layer-fusion.ts), trained by AdamW under noise. Learning rate, weight decay and dropout of the attention are those
 * of the highest accuracy on one validation split (the data's own, or the first fold), then all training rows are trained on.
 *
 * As published, but: classes count alike in loss and choice only with the class weights 'balanced' (the paper's are); noise is
 * on training examples alone, where the released code validates on noisy ones too; the default grid is a part of the paper's 63
 * settings, which `published` is.
 */
import { roughPercent } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import { layerFusion } from '../attention/layer-fusion.js';
import { type LayerTokens, layerTokens } from '../attention/tokens.js';
import type { MethodContext } from '../context.js';
import { fitAttention } from '../fitting/attention.js';
import type { Fit, ProbeMethod } from './method.js';

const layersOf = ({ train, taps }: Pick<MethodContext, 'train' | 'taps'>): LayerTokens =>
  layerTokens(taps, train.matrix.offsets);

function fit(context: MethodContext): Promise<Fit> {
  const { classes, options } = context;
  const { learningRates, weightDecays, dropouts, seeds, ...recipe } = options.fusion;
  const layers = layersOf(context);
  const network = layerFusion({ tokens: layers.tokens.length, width: layers.width, classes });
  const candidates = learningRates.flatMap((learningRate) =>
    weightDecays.flatMap((weightDecay) =>
      dropouts.map((dropout) => {
        const settings = { learningRate, weightDecay, dropout };
        return { settings, network, training: settings };
      }),
    ),
  );
  return fitAttention(context, {
    method: 'attentive-fusion',
    layers,
    candidates,
    recipe,
    seeds,
    notes: (mass) => notesOf(layers, mass),
  });
}

function notesOf({ tokens, wide }: LayerTokens, mass: Float64Array): string[] {
  const order = [...mass.keys()].sort((a, b) => (mass[b] as number) - (mass[a] as number)).slice(0, 5);
  const share = (t: number) => `${tokens[t]?.name} ${roughPercent(mass[t] as number)}`;
  const rest = tokens.length - order.length;
  return [
    `attention: ${order.map(share).join(', ')}${rest > 0 ? `, ${rest} more` : ''}`,
    `reads ${[...new Set(tokens.map(({ name }) => name.replace(/ \(token \d+\)$/, '')))].join(', ')}`,
    ...(wide.length > 0 ? [`left out, as they are wide: ${wide.join(', ')}`] : []),
  ];
}

export const attentiveFusion: ProbeMethod = {
  card: {
    id: 'attentive-fusion',
    label: 'Attentive fusion',
    plain: 'attention over the layers (ALF)',
    advice: 'train attention over the layers (Attentive Layer Fusion)',
    title: 'attentive layer fusion: a learned query attends over the vectors of all taps (ALF)',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 2,
    light: '#8f2d56',
    dark: '#f29ac0',
    shape: shapes.star,
  },
  seconds: 500,
  pools: 'each',
  choose: 'accuracy',
  check: (context) => void layersOf(context),
  fit,
};
