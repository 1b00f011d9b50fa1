/** Element-wise lasso on all taps. */
import { shapes } from '../../record/index.js';
import { fitSparse } from '../fitting/sparse.js';
import type { ProbeMethod } from './method.js';

export const allL1: ProbeMethod = {
  card: {
    id: 'all-l1',
    label: 'All-ℓ1',
    plain: 'a lasso probe on all layers',
    advice: 'probe all layers (All-ℓ1)',
    title: 'element-wise lasso on all taps',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#4f7a28',
    dark: '#9fce6e',
    shape: shapes.right,
  },
  seconds: 40,
  options: ['path'],
  fit: (context) => fitSparse(context, 1),
};
