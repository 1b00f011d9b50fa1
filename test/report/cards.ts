/** Cards of the methods of version 0.1, for records that carry none. */
import { type MethodCard, shapes } from '../../src/record/index.js';

type Look = Pick<MethodCard, 'light' | 'dark' | 'shape'>;
const look = (light: string, dark: string, shape: keyof typeof shapes): Look => ({ light, dark, shape: shapes[shape] });

const lastLayer = { reads: 'last layer', role: 'candidate' } as const;
const allLayers = { reads: 'all layers', role: 'candidate' } as const;
const images = { reads: 'images', role: 'candidate' } as const;

export const cards: readonly MethodCard[] = [
  {
    id: 'linear',
    label: 'Linear',
    plain: 'a probe on the last layer',
    advice: 'probe the last layer',
    title: 'probe on the last layer',
    ...lastLayer,
    simplicity: 0,
    ...look('#3a424d', '#dde3ea', 'circle'),
  },
  {
    id: 'control',
    label: 'Control',
    plain: 'a probe on the last layers of two networks',
    advice: 'add a second network',
    title: 'last layer and that of a second network',
    reads: 'two networks',
    role: 'baseline',
    simplicity: 1,
    ...look('#7d6c00', '#cdb93a', 'diamond'),
  },
  {
    id: 'oracle',
    label: 'Oracle',
    plain: 'the last layer and the best other layer by test score',
    advice: 'add one layer',
    title: 'last layer and the one other layer that is best on the test set',
    reads: 'all layers',
    role: 'bound',
    simplicity: 1,
    ...look('#9a6700', '#e3a93b', 'up'),
  },
  {
    id: 'all-l1',
    label: 'All-ℓ1',
    plain: 'a lasso probe on all layers',
    advice: 'probe all layers (All-ℓ1)',
    title: 'all layers, lasso',
    ...allLayers,
    simplicity: 1,
    ...look('#4f7a28', '#9fce6e', 'right'),
  },
  {
    id: 'all-l2',
    label: 'All-ℓ2',
    plain: 'an ℓ2 probe on all layers',
    advice: 'probe all layers (All-ℓ2)',
    title: 'all layers, ridge',
    ...allLayers,
    simplicity: 1,
    ...look('#1a7f5a', '#5fd0a3', 'left'),
  },
  {
    id: 'all-l21',
    label: 'All-ℓ2,1',
    plain: 'a group-lasso probe on all layers',
    advice: 'probe all layers (All-ℓ2,1)',
    title: 'all layers, group lasso',
    ...allLayers,
    simplicity: 1,
    ...look('#0f7f8c', '#56c8d6', 'hexagon'),
  },
  {
    id: 'head2toe',
    label: 'Head2Toe',
    plain: 'a selection of features from all layers',
    advice: 'select features from all layers (Head2Toe)',
    title: 'features selected from all layers',
    ...allLayers,
    simplicity: 2,
    ...look('#0a66c2', '#66b2ff', 'square'),
  },
  {
    id: 'head2toe-ft',
    label: 'Head2Toe-FT',
    plain: 'fine-tuning on a selection of features',
    advice: 'select features from all layers, then fine-tune',
    title: 'selected features, then fine-tuned',
    ...images,
    simplicity: 3.5,
    ...look('#5146b8', '#a8a0ff', 'star'),
  },
  {
    id: 'finetune',
    label: 'Fine-tune',
    plain: 'fine-tuning',
    advice: 'fine-tune',
    title: 'the whole network',
    ...images,
    simplicity: 3,
    ...look('#c24d00', '#ff9b57', 'cross'),
  },
  {
    id: 'finetune-tenth',
    label: 'Fine-tune, lr/10',
    plain: 'fine-tuning at a tenth of the learning rate',
    advice: 'fine-tune at a tenth of the learning rate',
    title: 'the whole network, a tenth of the learning rate',
    ...images,
    simplicity: 3,
    ...look('#a03a2c', '#ff8f80', 'bar'),
  },
  {
    id: 'scratch',
    label: 'Scratch',
    plain: 'training from scratch',
    advice: 'train from scratch',
    title: 'the same network, not pretrained',
    ...images,
    simplicity: 4,
    ...look('#c0509b', '#c95fae', 'down'),
  },
];

/** The cards of these methods. */
export const cardsOf = (...ids: string[]): MethodCard[] => cards.filter((card) => ids.includes(card.id));
