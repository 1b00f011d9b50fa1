/** Images of the test split on which two methods differ. */
import type { RunRecord, TaskRecord, Thumbnail } from '../../record/index.js';
import { cardOf, cardsOf, selectingCell } from '../lookup.js';
import { html } from '../table.js';
import { numbered } from './exhibits.js';

/** Images that one of two methods gets right and the other wrong. */
export function examplesHtml(record: RunRecord, numbers: ReadonlyMap<string, number> = new Map()): string {
  const groups = record.tasks.flatMap((task) => {
    const [a, b] = pairOf(record, task);
    if (a === undefined || b === undefined) return [];
    const parts = [exampleGroup(record, task, a, b), exampleGroup(record, task, b, a)].filter(Boolean);
    return parts.length > 0
      ? [
          `<div class="panel" data-task="${html(task.task)}">${record.tasks.length > 1 ? `<h4>${html(task.task)}</h4>` : ''}${parts.join('')}</div>`,
        ]
      : [];
  });
  if (groups.length === 0) return '';
  return `<figure class="exhibit panels" id="fig-examples"><figcaption><h3>${numbered('examples', numbers)}Images on which the methods differ</h3><p>Examples from the test split that one method gets right and the other wrong; under each, the true class and the mistaken answer.</p></figcaption><div class="grid">${groups.join('\n')}</div></figure>`;
}

/** The two methods that a task's thumbnails compare: that whose selection is shown, and the first of the others. */
function pairOf(record: RunRecord, task: TaskRecord): (string | undefined)[] {
  const named = cardsOf(
    record,
    (task.thumbnails ?? []).flatMap((t) => Object.keys(t.predictions)),
  ).map((m) => m.id);
  const selecting = selectingCell(task)?.method;
  const first = named.find((m) => m === selecting) ?? named.at(-1);
  return [first, named.find((m) => m !== first)];
}

function exampleGroup(record: RunRecord, task: TaskRecord, right: string, wrong: string): string {
  const differs = ({ predictions, label }: Thumbnail) =>
    predictions[right] === label && predictions[wrong] !== undefined && predictions[wrong] !== label;
  const found = (task.thumbnails ?? []).filter(differs).slice(0, 8);
  if (found.length === 0) return '';
  const [winner, loser] = [cardOf(record, right).label, cardOf(record, wrong).label];
  const items = found.map(({ image, file, label, predictions }) => {
    const mistaken = predictions[wrong] ?? '';
    return `<li><img src="${html(image)}" alt="${html(`${file}, a ${label}; ${loser} says ${mistaken}`)}" loading="lazy" width="64" height="64"><span>${html(label)}</span><s>${html(mistaken)}</s></li>`;
  });
  return `<p class="finding">${html(winner)} right, ${html(loser)} wrong</p><ul class="thumbs">${items.join('')}</ul>`;
}
