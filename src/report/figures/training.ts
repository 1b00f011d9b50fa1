/** How a network was trained: loss and accuracy by epoch. */
import { given } from '../../base/index.js';
import { type DoneCell, doneCells, integer, percent, type RunRecord, type TaskRecord } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dot, type Figure, keyEntry } from './figure.js';
import { nominal, panelId, panelSize, percentAxis, quantitative } from './parts.js';

type Trained = DoneCell & Required<Pick<DoneCell, 'epochs'>>;

/** Of the first method of the task that says how its epochs went. */
export function trainingFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cell = doneCells(task).find((c): c is Trained => (c.epochs?.length ?? 0) > 1);
  if (!cell) return undefined;
  const { epochs } = cell;
  const watches = epochs.some((e) => e.watched !== undefined);
  const { metric } = task.target;
  /** Of values and labels the training images have a loss alone. */
  const scored = task.target.kind === 'class' ? 'accuracy' : undefined;
  const both = scored ? ` and ${scored}` : '';
  const watched = scored ?? metric;
  const label = nameOf(cardOf(record, cell.method));
  return {
    id: panelId('training', task),
    section: 'accuracy',
    group: 'training',
    task: task.task,
    title: 'How training went',
    caption: `${label}: loss${both} by epoch, of the training images while it learned from them${watches ? `; ${scored ? '' : `${watched} `}of the watched images after the epoch` : ''}.`,
    alt: inWords(epochs, watched),
    key: [keyEntry('training images', 'accent', dot), ...(watches ? [keyEntry('watched images', 'alert', dot)] : [])],
    wide: false,
    spec: specOf(cell, scored || watches ? watched : undefined),
    table: {
      id: panelId('training', task),
      caption: `${task.task}, ${label}: every epoch`,
      columns: [
        { title: 'epoch', format: integer },
        { title: 'steps', format: integer },
        { title: 'learning rate' },
        { title: 'training loss' },
        ...(scored ? [{ title: 'training accuracy', format: percent }] : []),
        ...(watches ? [{ title: `watched ${watched}`, format: percent }] : []),
      ],
      rows: epochs.map((e) => [
        ...[e.epoch, e.step, e.learningRate, e.loss],
        ...(scored ? [e.accuracy] : []),
        ...(watches ? [e.watched] : []),
      ]),
    },
  };
}

/** @param metric of watched images */
function inWords(epochs: Trained['epochs'], metric: string): string {
  const [first, last] = [epochs[0], epochs.at(-1)] as [Trained['epochs'][number], Trained['epochs'][number]];
  const watched = epochs.findLast((e) => e.watched !== undefined)?.watched;
  const right =
    first.accuracy === undefined || last.accuracy === undefined
      ? ''
      : `, training accuracy from ${percent(first.accuracy)} to ${percent(last.accuracy)} %`;
  return `From epoch ${first.epoch} to ${last.epoch} the training loss went from ${first.loss.toPrecision(3)} to ${last.loss.toPrecision(3)}${right}${watched === undefined ? '' : `; ${metric} on watched images ended at ${percent(watched)} %`}.`;
}

/** Two charts over one axis of epochs, or that of the loss alone. @param scored what the second shows */
function specOf({ epochs }: Trained, scored: string | undefined) {
  // Of both kinds of images, a row each.
  const of = { training: 'training images', watched: 'watched images' };
  const values = epochs.flatMap(({ epoch, loss, accuracy, watched }) => [
    { epoch, images: of.training, loss, ...given({ accuracy }) },
    ...(watched === undefined ? [] : [{ epoch, images: of.watched, accuracy: watched }]),
  ]);
  const kinds = [...new Set(values.map((v) => v.images))];
  const colours = { [of.training]: color('accent'), [of.watched]: color('alert') };
  const legend = kinds.length > 1 ? { title: null, columns: 2 } : null;
  const scale = { domain: kinds, range: kinds.map((kind) => colours[kind]) };
  // Room for the labels of both y axes, so that the charts line up.
  const extent = { title: null, minExtent: 38, maxExtent: 38 };
  const chart = (text: string, y: object, isLast: boolean, tooltip: object[]) => {
    const x = quantitative('epoch', {
      scale: { nice: false, padding: 6 },
      axis: { title: isLast ? 'epoch' : null, grid: false, labels: isLast, tickMinStep: 1 },
    });
    const font = { fontSize: 11.5, fontWeight: 'normal', color: color('muted') };
    const mark = { type: 'line', strokeWidth: 1.6, point: { filled: true, size: 28 } };
    return {
      width: panelSize.width,
      height: 110,
      title: { text, ...font, offset: 4, anchor: 'start', frame: 'group' },
      mark,
      encoding: {
        x,
        y,
        color: nominal('images', { scale, legend }),
        tooltip: [quantitative('epoch'), nominal('images'), ...tooltip],
      },
    };
  };
  const loss = quantitative('loss', { axis: { tickCount: 4, ...extent } });
  const accuracy = quantitative('accuracy', { scale: { zero: false }, axis: { ...percentAxis(null), ...extent } });
  return standalone({
    data: { values },
    spacing: 14,
    vconcat: [
      {
        transform: [{ filter: 'isValid(datum.loss)' }],
        ...chart('training loss', loss, scored === undefined, [quantitative('loss', { format: '.3' })]),
      },
      ...(scored === undefined
        ? []
        : [
            chart(scored, accuracy, true, [
              quantitative('accuracy', { ...(scored === 'accuracy' ? {} : { title: scored }), format: '.1%' }),
            ]),
          ]),
    ],
  });
}
