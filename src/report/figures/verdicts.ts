/** Differences in a column, one row each, coloured by what is said of them. */
import { color, type Role } from '../theme.js';
import { nominal, quantitative, rule } from './parts.js';

/** In points: `difference`, and where it has an interval `low` and `high`. */
interface Row {
  readonly row: string;
  readonly verdict: string;
  readonly difference: number;
  readonly low?: number;
}

interface Look {
  /** Of each verdict. */
  readonly colours: Readonly<Record<string, Role>>;
  readonly title: string;
  readonly labelLimit: number;
  readonly tooltip?: readonly object[];
}

/** The layers of such a chart, over the fields of `rows`. */
export function verdictLayers(rows: readonly Row[], { colours, title, labelLimit, tooltip }: Look): object[] {
  const y = nominal('row', { sort: null, axis: { title: null, grid: true, labelLimit, labelFontSize: 11 } });
  const x = { axis: { title, tickCount: 7 } };
  const hue = nominal('verdict', {
    scale: { domain: Object.keys(colours), range: Object.values(colours).map(color) },
    legend: null,
  });
  return [
    rule('x', 'difference', 0, color('axis')),
    {
      ...(rows.some((r) => r.low === undefined) ? { transform: [{ filter: 'isValid(datum.low)' }] } : {}),
      mark: { type: 'rule', strokeWidth: 1.8, opacity: 0.75 },
      encoding: { y, x: quantitative('low', x), x2: { field: 'high' }, color: hue },
    },
    {
      mark: { type: 'point', filled: true, opacity: 1, size: 55 },
      encoding: { y, x: quantitative('difference', x), color: hue, ...(tooltip ? { tooltip } : {}) },
    },
  ];
}
