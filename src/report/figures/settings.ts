/** The paper's figure 6: settings beside each other, a point for every network on every data set. */
import {
  datasetsOf,
  points as inPoints,
  pairWords,
  placesOf,
  pValue,
  type RunRecord,
  settingPairs,
} from '../../record/index.js';
import { cardOf, cardsOf, metricOf } from '../lookup.js';
import { isDrawn, isHollow, nameOf, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { type Figure, hollowKey, keyOf } from './figure.js';
import { drawnLogit, logitAxis } from './logit.js';
import { filterParams, methodEncodings, methodFilter, nominal, panelHeader, points, quantitative } from './parts.js';

export function settingsFigure(record: RunRecord): Figure | undefined {
  if (!record.networks) return undefined;
  const places = placesOf(record);
  const datasets = datasetsOf(record);
  const rows = places.flatMap(({ network, dataset, task }) =>
    task.cells.flatMap((cell) => {
      if (!isDrawn(cell)) return [];
      const { score, interval = [score, score] } = cell;
      return [
        {
          method: cell.method,
          label: nameOf(cardOf(record, cell.method)),
          network,
          dataset,
          accuracy: score,
          score: drawnLogit(score),
          low: drawnLogit(interval[0]),
          high: drawnLogit(interval[1]),
          ...(isHollow(cell) ? { hollow: true as const } : {}),
        },
      ];
    }),
  );
  if (rows.length === 0) return undefined;
  const cards = cardsOf(
    record,
    rows.map((r) => r.method),
  );
  const cells = places.flatMap((p) => p.task.cells);
  const pairs = settingPairs(record);
  const plain = (id: string) => cardOf(record, id).label;
  const over = pairs.filter((p) => p.dataset === undefined);
  const { color: colour, shape, opacity } = methodEncodings(cards, 4);
  const x = logitAxis(
    `test ${metricOf(record.tasks)}`,
    rows.flatMap((r) => [r.low, r.high]),
  );
  const y = nominal('network', {
    sort: record.networks.map((n) => n.name),
    axis: { title: null, grid: true, labelLimit: 200 },
  });
  const tooltip = [
    nominal('network'),
    nominal('label', { title: 'setting' }),
    quantitative('accuracy', { format: '.1%' }),
  ];
  return {
    id: 'settings',
    section: 'networks',
    group: 'settings',
    title: 'Settings beside each other',
    caption:
      'Test accuracy (logit scale) with its 95 % interval over test examples, and seeds where there are several. Wins count scores; “proven” is by intervals that hold together over the run.',
    alt:
      over.length > 0
        ? `${over.map((p) => pairWords(p, plain)).join('. ')}.`
        : `One setting on ${datasets.length} data sets.`,
    note: noteOn(record, cells),
    key: [...keyOf(cards), ...hollowKey(rows, reasonsOf(cells))],
    wide: true,
    spec: standalone({
      params: filterParams([], cards),
      facet: nominal('dataset', { sort: datasets, header: panelHeader }),
      columns: 2,
      data: { values: rows },
      transform: [methodFilter],
      spec: {
        width: 250,
        height: { step: 18 },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 1.5, opacity: 0.6 },
            encoding: { y, x: quantitative('low', x), x2: { field: 'high' }, color: colour },
          },
          ...points(rows, { size: 50 }, { y, x: quantitative('score', x), color: colour, shape, opacity, tooltip }),
        ],
      },
    }),
    table: {
      id: 'settings',
      caption:
        'Settings in pairs over networks: scores higher and lower, how many of them are proven by the intervals of the run, mean difference (points), and Wilcoxon’s signed-rank p over networks (from 6 networks on)',
      columns: [
        { title: 'data set' },
        { title: 'setting' },
        { title: 'minus' },
        { title: 'networks' },
        { title: 'cells' },
        { title: 'higher' },
        { title: 'lower' },
        { title: 'proven higher' },
        { title: 'proven lower' },
        { title: 'difference', format: inPoints },
        { title: 'Wilcoxon p', format: pValue },
      ],
      rows: pairs.map((p) => [
        p.dataset ?? 'all',
        plain(p.method),
        plain(p.reference),
        p.networks,
        p.cells,
        p.wins,
        p.losses,
        p.proven,
        p.disproven,
        p.difference,
        p.p,
      ]),
    },
  };
}
