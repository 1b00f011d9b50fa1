/** Linear probes, added up. */
import { shapes } from '../../record/index.js';
import { stacked } from '../fitting/stacked.js';
import { tunedMethod } from './method.js';

export const stack = tunedMethod({
  card: {
    id: 'stack',
    label: 'Stack',
    plain: 'a weighted sum of linear probes',
    advice: 'add up linear probes with weights (Stack)',
    title: 'log-linear pool of linear, All-ℓ2, All-ridge and Tap-ridge, weights from their validation answers',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#8a3b12',
    dark: '#f0a884',
    shape: shapes.star,
  },
  seconds: 45,
  pools: 'each',
  tune: stacked,
});
