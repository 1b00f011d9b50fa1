/** Tables of a run that compares networks. */
import {
  datasetsOf,
  networkPairs,
  placesOf,
  pValue,
  type RunRecord,
  regulariserRows,
  regularisers,
  transferSettings,
} from '../record/index.js';
import { differenceColumns } from './columns.js';
import { cardOf, metricOf, tableCards } from './lookup.js';
import { nameOf } from './marks.js';
import { type Cell, compact, type Table } from './table.js';

/**
 * Networks and settings down, data sets across.
 * @param textOf what a cell of the record is printed as
 */
export function networksTable(
  record: RunRecord,
  textOf: (cell: RunRecord['tasks'][number]['cells'][number] | undefined, task: RunRecord['tasks'][number]) => Cell,
): Table {
  const places = placesOf(record);
  const datasets = datasetsOf(record);
  return {
    id: 'results',
    caption: `Test ${metricOf(record.tasks)} (%) [95 % interval] of every network in every setting`,
    columns: [{ title: 'setting' }, { title: 'network' }, ...datasets.map((title) => ({ title }))],
    rows: tableCards(record).flatMap((card) =>
      (record.networks ?? []).flatMap(({ name }) => {
        const cells = datasets.map((dataset) => {
          const task = places.find((p) => p.network === name && p.dataset === dataset)?.task;
          return (
            task &&
            textOf(
              task.cells.find((c) => c.method === card.id),
              task,
            )
          );
        });
        return cells.every((c) => c === undefined) ? [] : [[nameOf(card), name, ...cells]];
      }),
    ),
  };
}

/** Every two networks in a setting on a data set. */
export function networkPairsTable(record: RunRecord): Table {
  return compact({
    id: 'network-pairs',
    caption:
      'Two networks on the same test examples: difference of scores (points) with the 95 % interval of each by itself and the one that holds together with all pairs of the setting (corrected), over test examples and, where there are several, seeds; McNemar: exact p of the first run of each',
    columns: [
      { title: 'setting' },
      { title: 'data set' },
      { title: 'network' },
      { title: 'minus' },
      ...differenceColumns,
      { title: 'p, corrected', format: pValue },
      { title: 'McNemar p', format: pValue },
      { title: 'verdict' },
    ],
    rows: !record.networks
      ? []
      : networkPairs(record).map((p) => [
          nameOf(cardOf(record, p.setting)),
          p.dataset,
          p.network,
          p.other,
          p.difference,
          ...p.interval,
          ...(p.corrected ?? [undefined, undefined]),
          p.pCorrected,
          p.mcnemar,
          p.verdict,
        ]),
  });
}

/** Networks that say how they were regularised in pretraining, with and without. */
export function regularisersTable(record: RunRecord): Table {
  const fixed = (v: number) => v.toFixed(2).replace('-', '−');
  return {
    id: 'regularisers',
    caption:
      'Mean transfer (logit, above the mean of all networks) of networks pretrained with and without a regulariser, as their configuration says; such networks may differ in more than that',
    columns: [
      { title: 'pretrained with' },
      { title: 'setting' },
      { title: 'with', wraps: true },
      { title: 'mean with', format: fixed },
      { title: 'without', wraps: true },
      { title: 'mean without', format: fixed },
      { title: 'difference', format: fixed },
    ],
    rows: regulariserRows(transferSettings(record)).map((row) => [
      regularisers[row.regulariser],
      nameOf(cardOf(record, row.method)),
      row.with.networks.join(', '),
      row.with.mean,
      row.without.networks.join(', '),
      row.without.mean,
      row.with.mean - row.without.mean,
    ]),
  };
}
