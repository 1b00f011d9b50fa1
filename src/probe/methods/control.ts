/** l2 logistic regression on the last layers of two backbones: what a second network adds, without middle layers. */
import { UserError } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import { FeatureMatrix } from '../../solver/index.js';
import { fitTunedL2 } from '../fitting/l2.js';
import { type Inputs, lastTap } from '../task.js';
import type { ProbeMethod } from './method.js';

export const control: ProbeMethod = {
  card: {
    id: 'control',
    label: 'Control',
    plain: 'a probe on the last layers of two networks',
    advice: 'add a second network',
    title: 'l2 logistic regression on the last layers of two backbones',
    reads: 'two networks',
    role: 'baseline',
    simplicity: 1,
    light: '#7d6c00',
    dark: '#cdb93a',
    shape: shapes.diamond,
  },
  seconds: 5,
  fit: async (context) => {
    const block = lastTap(context.taps);
    const joined = new WeakMap<Inputs, FeatureMatrix>();
    const join = (inputs: Inputs): FeatureMatrix => {
      const known = joined.get(inputs);
      if (known) return known;
      if (!inputs.control) {
        throw new UserError(
          'method control concatenates a second backbone: give its feature store of the same images with --control DIR',
        );
      }
      const own = inputs.matrix.blocks[block] as FeatureMatrix['blocks'][number];
      const others = inputs.control.blocks.map((b) => ({ ...b, name: `control.${b.name}` }));
      const matrix = new FeatureMatrix([own, ...others], inputs.matrix.rows, inputs.matrix.options);
      joined.set(inputs, matrix);
      return matrix;
    };
    // Its weights are on features of two networks: no head of the one under study.
    const { model: _, ...fit } = await fitTunedL2(context, join);
    return fit;
  },
};
