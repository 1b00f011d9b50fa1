/** Accuracy after transfer against accuracy on the source: means over data sets, and data set by data set. */
import {
  datasetsOf,
  datasetTrends,
  list,
  type NetworkMean,
  percent,
  placesOf,
  type RunRecord,
  type Setting,
  type SourceTrend,
  transferSettings,
  trendWords,
} from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { type Figure, keyOf } from './figure.js';
import { logitAxis, shareOf } from './logit.js';
import { filterParams, methodFilter, nominal, panelHeader, points, quantitative } from './parts.js';

const fixed = (v: number) => v.toFixed(2).replace('-', '−');

/** Only networks whose accuracy on the source somebody gave. */
const drawn = (settings: readonly Setting[]) => settings.filter((s) => s.trends.some((t) => t.points.length > 1));

function unknownNote({ networks = [] }: RunRecord): string | undefined {
  const names = networks.filter((n) => n.sourceAccuracy === undefined).map((n) => n.name);
  return names.length > 0 ? `Left out, since nobody gave their accuracy on the source: ${list(names)}.` : undefined;
}

/** The paper's figure 1: mean transfer of every network, a panel for each setting. */
export function transferFigure(record: RunRecord): Figure | undefined {
  const settings = drawn(transferSettings(record));
  const [first] = settings;
  if (!first) return undefined;
  const cards = settings.map((s) => cardOf(record, s.method));
  const rows = settings.flatMap((setting) => {
    const label = nameOf(cardOf(record, setting.method));
    return setting.trends.flatMap((trend) =>
      trend.points.map(({ network, x, y }) => {
        const error = setting.networks.find((n) => n.network.name === network)?.standardError;
        return {
          method: setting.method,
          label,
          network,
          source: trend.source,
          x,
          y,
          accuracy: shareOf(x),
          transfer: shareOf(y),
          ...(error === undefined ? {} : { low: y - error, high: y + error }),
        };
      }),
    );
  });
  const lines = settings.flatMap((setting) =>
    setting.trends.flatMap((trend) =>
      trend.line.map((at) => ({
        ...at,
        method: setting.method,
        label: nameOf(cardOf(record, setting.method)),
        source: trend.source,
      })),
    ),
  );
  const words = settings.map(
    ({ method, trends }) => `${cardOf(record, method).label}: ${trends.map(trendWords).join('; ')}`,
  );
  return {
    id: 'transfer',
    section: 'networks',
    group: 'transfer',
    title: 'Accuracy on the source against mean transfer',
    caption: `Mean over ${list(first.datasets)} of the logit of test accuracy; bars: Morey’s standard error over data sets, their difficulty taken out. Both axes are logits. r is Pearson’s with Fisher’s 95 % interval, which supposes networks drawn at random; networks are compared with those of the same source only.`,
    alt: `${words.join('. ')}.`,
    note: unknownNote(record),
    key: keyOf(cards),
    wide: true,
    spec: standalone({
      params: filterParams([], cards),
      facet: { column: nominal('label', { sort: cards.map(nameOf), header: panelHeader }) },
      data: { values: [...rows, ...lines.map((l) => ({ ...l, line: true }))] },
      transform: [methodFilter],
      spec: panelOf(rows, lines, record),
    }),
    table: {
      id: 'transfer',
      caption:
        'Networks by setting: mean logit over data sets, the accuracy that has it, the mean less that of all networks with Morey’s standard error and 95 % interval, and accuracy on the source',
      columns: [
        { title: 'setting' },
        { title: 'network' },
        { title: 'source' },
        { title: 'source accuracy', format: percent },
        { title: 'mean logit', format: fixed },
        { title: 'as accuracy', format: percent },
        { title: 'above the mean', format: fixed },
        { title: 'standard error', format: fixed },
        { title: 'low', format: fixed },
        { title: 'high', format: fixed },
      ],
      rows: transferSettings(record).flatMap((s) => s.networks.map((n) => rowOf(record, s, n))),
    },
  };
}

const rowOf = (record: RunRecord, { method }: Setting, n: NetworkMean) => [
  nameOf(cardOf(record, method)),
  n.network.name,
  n.network.source,
  n.network.sourceAccuracy,
  n.mean,
  n.accuracy,
  n.adjusted,
  n.standardError,
  ...(n.interval ?? [undefined, undefined]),
];

interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** The accuracy of networks on their source, as logits. */
const sourceAxis = (rows: readonly { readonly x: number }[]) =>
  quantitative(
    'x',
    logitAxis(
      'accuracy on the source',
      rows.map((r) => r.x),
      { grid: false },
    ),
  );

function panelOf(rows: readonly Point[], lines: readonly Point[], record: RunRecord) {
  const all = [...rows, ...lines];
  const x = sourceAxis(rows);
  const axis = logitAxis(
    'mean transfer',
    all.flatMap((r) => [r.y, r.low ?? r.y, r.high ?? r.y]),
  );
  const shape = nominal('source', { legend: sourcesOf(record) > 1 ? { title: null, orient: 'top' } : null });
  const tooltip = [
    nominal('network'),
    quantitative('accuracy', { title: 'on the source', format: '.1%' }),
    quantitative('transfer', { title: 'mean transfer', format: '.1%' }),
  ];
  const isPoint = { filter: '!datum.line' };
  const isLine = { filter: 'datum.line' };
  return {
    width: 210,
    height: 210,
    layer: [
      ...(lines.length > 0
        ? [
            {
              transform: [isLine],
              mark: { type: 'area', opacity: 0.12, color: color('muted') },
              encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, detail: nominal('source') },
            },
            {
              transform: [isLine],
              mark: { type: 'line', color: color('muted'), strokeDash: [5, 4], strokeWidth: 1.5 },
              encoding: { x, y: quantitative('y', axis), detail: nominal('source') },
            },
          ]
        : []),
      {
        transform: [isPoint, { filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', color: color('accent'), strokeWidth: 1.6, opacity: 0.75 },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' } },
      },
      {
        transform: [isPoint],
        mark: { type: 'point', filled: true, opacity: 1, size: 62, color: color('accent') },
        encoding: { x, y: quantitative('y', axis), shape, tooltip },
      },
      {
        transform: [isPoint],
        mark: { type: 'text', dy: -10, fontSize: 11 },
        encoding: { x, y: quantitative('y', axis), text: nominal('network') },
      },
    ],
  };
}

const sourcesOf = ({ networks = [] }: RunRecord): number =>
  new Set(networks.flatMap((n) => (n.sourceAccuracy === undefined ? [] : [n.source ?? '']))).size;

/** The paper's figure 2: the same on every data set. */
export function transferByDatasetFigure(record: RunRecord): Figure | undefined {
  if (!record.networks) return undefined;
  const datasets = datasetsOf(record);
  const found = record.methods.flatMap((card) =>
    datasets.flatMap((dataset) =>
      datasetTrends(record, card.id, dataset)
        .filter((t) => t.points.length > 1)
        .map((trend) => ({ card, dataset, trend })),
    ),
  );
  if (found.length === 0) return undefined;
  const cards = record.methods.filter((m) => found.some((f) => f.card.id === m.id));
  const rows = found.flatMap(({ card, dataset, trend }) =>
    trend.points.map(({ network, x, y }) => {
      const task = placesOf(record).find((p) => p.network === network && p.dataset === dataset)?.task.task;
      return {
        method: card.id,
        label: nameOf(card),
        dataset,
        task,
        network,
        x,
        y,
        transfer: shareOf(y),
        accuracy: shareOf(x),
      };
    }),
  );
  const x = sourceAxis(rows);
  const y = quantitative(
    'y',
    logitAxis(
      'test accuracy',
      rows.map((r) => r.y),
    ),
  );
  const colour = nominal('label', {
    scale: { domain: cards.map(nameOf), range: cards.map((c) => c.light) },
    legend: null,
  });
  const shape = nominal('label', {
    scale: { domain: cards.map(nameOf), range: cards.map((c) => c.shape) },
    legend: null,
  });
  const tooltip = [
    nominal('network'),
    nominal('label', { title: 'setting' }),
    quantitative('transfer', { title: 'test accuracy', format: '.1%' }),
  ];
  return {
    id: 'transfer-datasets',
    section: 'networks',
    group: 'transfer-datasets',
    title: 'Accuracy on the source against transfer, data set by data set',
    caption: 'Test accuracy of every network in each setting; both axes are logits.',
    alt: `${found.map(({ card, dataset, trend }) => `${card.label} on ${dataset}: ${trendWords(trend)}`).join('. ')}.`,
    note: unknownNote(record),
    key: keyOf(cards),
    wide: true,
    spec: standalone({
      params: filterParams([], cards),
      facet: nominal('dataset', { sort: datasets, header: panelHeader }),
      columns: 4,
      data: { values: rows },
      transform: [methodFilter],
      spec: { width: 160, height: 160, layer: points([], { size: 52 }, { x, y, color: colour, shape, tooltip }) },
    }),
    table: {
      id: 'transfer-datasets',
      caption:
        'Correlation of accuracy on the source with transfer, both as logits, on each data set (Fisher’s 95 % interval over networks)',
      columns: [
        { title: 'setting' },
        { title: 'data set' },
        { title: 'source' },
        { title: 'networks' },
        { title: 'r', format: fixed },
        { title: 'low', format: fixed },
        { title: 'high', format: fixed },
        { title: 'Spearman’s rho', format: fixed },
      ],
      rows: found.map(({ card, dataset, trend }) => [nameOf(card), dataset, ...trendCells(trend)]),
    },
  };
}

const trendCells = ({ source, points: all, r, interval, rho }: SourceTrend) => [
  source,
  all.length,
  r,
  ...(interval ?? [undefined, undefined]),
  rho,
];
