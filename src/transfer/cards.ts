/** How trained networks are named and drawn. */
import { type MethodCard, plainCard, shapes } from '../record/index.js';
import type { Treatment } from './treatment.js';

const images = { reads: 'images', role: 'candidate' } as const;

/** The card of fine-tuning. */
export const finetuneCard: MethodCard = {
  ...images,
  id: 'finetune',
  label: 'Fine-tune',
  plain: 'fine-tuning',
  advice: 'fine-tune',
  title: 'the whole network, fine-tuned',
  simplicity: 3,
  light: '#c24d00',
  dark: '#ff9b57',
  shape: shapes.cross,
};

/** The card of training from scratch. */
export const scratchCard: MethodCard = {
  ...images,
  id: 'scratch',
  label: 'Scratch',
  plain: 'training from scratch',
  advice: 'train from scratch',
  title: 'the same network, not pretrained',
  simplicity: 4,
  light: '#c0509b',
  dark: '#c95fae',
  shape: shapes.down,
};

/** The card of a treatment: those that copy layers are called as in the paper, with their number of layers. */
export function treatmentCard({ name, layers }: Treatment): MethodCard {
  if (name === 'finetune') return finetuneCard;
  if (name === 'scratch') return scratchCard;
  const label = layers === undefined ? name : `${name} ${layers}`;
  const words = { label, plain: `treatment ${label}`, advice: `train as ${label}`, title: `treatment ${label}` };
  return { ...plainCard(name, 0), ...images, ...words, simplicity: 3 };
}
