/** Every network's mean over data sets, less that of all networks. */
import { list, percent, type RunRecord, transferSettings } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { type Figure, keyOf } from './figure.js';
import { filterParams, methodEncodings, methodFilter, nominal, points, quantitative } from './parts.js';

const fixed = (v: number) => v.toFixed(2).replace('-', '−');

export function networkMeansFigure(record: RunRecord): Figure | undefined {
  const settings = transferSettings(record).filter((s) => s.networks.length > 1 && s.datasets.length > 1);
  if (settings.length === 0) return undefined;
  const cards = settings.map((s) => cardOf(record, s.method));
  const rows = settings.flatMap(({ method, networks }) =>
    networks.map((n) => ({
      method,
      label: nameOf(cardOf(record, method)),
      network: n.network.name,
      score: n.adjusted,
      accuracy: n.accuracy,
      ...(n.interval ? { low: n.interval[0], high: n.interval[1] } : {}),
    })),
  );
  const order = [...(settings[0]?.networks ?? [])].sort((a, b) => b.mean - a.mean).map((n) => n.network.name);
  const { color: colour, shape } = methodEncodings(cards, 4);
  const y = {
    y: nominal('network', {
      sort: order,
      axis: { title: null, grid: true, tickBand: 'extent', labelColor: color('ink'), labelLimit: 220 },
    }),
    yOffset: nominal('label', { sort: cards.map(nameOf) }),
  };
  const x = { axis: { title: 'mean logit above the mean of all networks', tickCount: 7 }, scale: { zero: true } };
  const tooltip = [
    nominal('network'),
    nominal('label', { title: 'setting' }),
    quantitative('score', { format: '+.2f', title: 'above the mean' }),
    quantitative('accuracy', { format: '.1%', title: 'mean, as accuracy' }),
  ];
  const left = settings.flatMap(({ method, incomplete }) =>
    incomplete.length > 0 ? [`${list(incomplete)} (${cardOf(record, method).label})`] : [],
  );
  return {
    id: 'network-means',
    section: 'networks',
    group: 'network-means',
    title: 'Which network transfers best',
    caption:
      'Mean over data sets of the logit of test accuracy, less the mean of all networks of that setting; rules: Morey’s 95 % interval over data sets (t, within data sets). It says how far other data sets of this kind might order networks otherwise, and takes no account of seeds.',
    alt: `${settings
      .map(({ method, networks, datasets }) => {
        const sorted = [...networks].sort((a, b) => b.mean - a.mean);
        return `${cardOf(record, method).label} over ${list(datasets)}: ${list(sorted.map((n) => `${n.network.name} ${percent(n.accuracy)} %`))}`;
      })
      .join('. ')}.`,
    note: left.length > 0 ? `Left out, for want of a score on some data set: ${left.join('; ')}.` : undefined,
    key: keyOf(cards),
    wide: true,
    spec: standalone({
      width: 640,
      height: { step: 14, for: 'offset' },
      params: filterParams([], cards),
      data: { values: rows },
      transform: [methodFilter],
      layer: [
        {
          transform: [{ filter: 'isValid(datum.low)' }],
          mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.75 },
          encoding: { ...y, x: quantitative('low', x), x2: { field: 'high' }, color: colour },
        },
        ...points([], { size: 62 }, { ...y, x: quantitative('score', x), color: colour, shape, tooltip }),
      ],
    }),
    table: {
      id: 'network-means',
      caption: 'Mean logit over data sets less the mean of all networks, with Morey’s 95 % interval',
      columns: [
        { title: 'setting' },
        { title: 'network' },
        { title: 'as accuracy', format: percent },
        { title: 'above the mean', format: fixed },
        { title: 'low', format: fixed },
        { title: 'high', format: fixed },
      ],
      rows: rows.map((r) => [r.label, r.network, r.accuracy, r.score, r.low, r.high]),
    },
  };
}
