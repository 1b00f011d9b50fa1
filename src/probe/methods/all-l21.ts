/** Group lasso on all taps: a feature's weights for all classes enter together. */
import { shapes } from '../../record/index.js';
import { fitSparse } from '../fitting/sparse.js';
import type { ProbeMethod } from './method.js';

export const allL21: ProbeMethod = {
  card: {
    id: 'all-l21',
    label: 'All-ℓ2,1',
    plain: 'a group-lasso probe on all layers',
    advice: 'probe all layers (All-ℓ2,1)',
    title: 'group lasso on all taps',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#0f7f8c',
    dark: '#56c8d6',
    shape: shapes.hexagon,
  },
  seconds: 40,
  options: ['path'],
  fit: (context) => fitSparse(context, 0),
};
