/** l2 logistic regression on all taps. */
import { shapes } from '../../record/index.js';
import { fitTunedL2 } from '../fitting/l2.js';
import type { ProbeMethod } from './method.js';

export const allL2: ProbeMethod = {
  card: {
    id: 'all-l2',
    label: 'All-ℓ2',
    plain: 'an ℓ2 probe on all layers',
    advice: 'probe all layers (All-ℓ2)',
    title: 'l2 logistic regression on all taps',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#1a7f5a',
    dark: '#5fd0a3',
    shape: shapes.left,
  },
  seconds: 15,
  fit: (context) => fitTunedL2(context, ({ matrix }) => matrix),
};
