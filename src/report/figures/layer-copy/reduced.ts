/** Base networks with fewer training images (figure S1 of the paper). */
import { percent, type RunRecord } from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { standalone } from '../../svg.js';
import { color } from '../../theme.js';
import { dash, type Figure, keyEntry } from '../figure.js';
import { nominal, percentAxis, quantitative, scoreColumns } from '../parts.js';
import { lowHigh, roleOf } from './shared.js';

/** The paper's figure S1: base networks with fewer training images. */
export function reducedFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  const levels = (study?.levels ?? []).filter((l) => l.perClass !== undefined);
  if (!study || levels.length < 2) return undefined;
  const rows = levels.map(({ group, perClass, mean, interval }) => ({
    split: copyGroupTitle(group),
    perClass,
    score: mean,
    ...lowHigh(interval),
  }));
  const groups = [...new Set(rows.map((r) => r.split))];
  const x = quantitative('perClass', {
    scale: { type: 'log', nice: false, padding: 8 },
    axis: { title: 'training images per class', grid: false, format: '~s' },
  });
  const y = quantitative('score', { axis: percentAxis('test accuracy') });
  const hue = nominal('split', {
    scale: { domain: groups, range: groups.map((_, i) => color(roleOf(i))) },
    legend: null,
  });
  return {
    id: 'reduced',
    section: 'copies',
    group: 'reduced',
    title: 'Base networks with fewer images',
    caption:
      'Test accuracy of networks trained from scratch on the first images of each class (log scale), with 95 % intervals.',
    alt: rows.map((r) => `${r.split}, ${r.perClass} per class: ${percent(r.score)} %`).join('; '),
    key: groups.map((g, i) => keyEntry(g, roleOf(i), dash)),
    spec: standalone({
      width: 640,
      height: 220,
      data: { values: rows },
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 1.2 },
          encoding: {
            x,
            y: quantitative('low', { axis: percentAxis('test accuracy') }),
            y2: { field: 'high' },
            color: hue,
          },
        },
        {
          mark: { type: 'line', strokeWidth: 1.7, point: { size: 45 } },
          encoding: {
            x,
            y,
            color: hue,
            tooltip: [nominal('split'), quantitative('perClass'), quantitative('score', { format: '.1%' })],
          },
        },
      ],
    }),
    table: {
      id: 'reduced',
      caption: 'Test accuracy (%) of base networks by training images per class',
      columns: [{ title: 'split' }, { title: 'per class' }, ...scoreColumns('accuracy')],
      rows: levels.map((l) => [copyGroupTitle(l.group), l.perClass, l.mean, ...(l.interval ?? [undefined, undefined])]),
    },
    wide: true,
  };
}
