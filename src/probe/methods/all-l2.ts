/** l2 logistic regression on all taps. */
import { shapes } from '../../record/index.js';
import { tuneL2 } from '../fitting/l2.js';
import { tunedMethod } from './method.js';

export const allL2 = tunedMethod({
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
  tune: (context) => tuneL2(context, ({ matrix }) => matrix),
});
