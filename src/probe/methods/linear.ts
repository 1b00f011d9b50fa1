/** l2 logistic regression on the last layer: the linear probe. */
import { shapes } from '../../record/index.js';
import { tuneL2 } from '../fitting/l2.js';
import { featuresOfBlock, lastTap } from '../task.js';
import { tunedMethod } from './method.js';

export const linear = tunedMethod({
  card: {
    id: 'linear',
    label: 'Linear',
    plain: 'a probe on the last layer',
    advice: 'probe the last layer',
    title: 'l2 logistic regression on the last layer',
    reads: 'last layer',
    role: 'candidate',
    simplicity: 0,
    light: '#3a424d',
    dark: '#dde3ea',
    shape: shapes.circle,
  },
  seconds: 3,
  pools: 'each',
  tune: (context) =>
    tuneL2(context, ({ matrix }) => matrix, featuresOfBlock(context.train.matrix, lastTap(context.taps))),
});
