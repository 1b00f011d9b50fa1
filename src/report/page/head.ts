/** The page's head: the record's answer, and what a reader must know before the figures. */
import {
  adviceOf,
  list,
  type MethodCard,
  mainAnswer,
  points,
  type RunRecord,
  type TaskAnswer,
} from '../../record/index.js';
import { capital } from '../figures/parts.js';
import { cardOf } from '../lookup.js';
import { html } from '../table.js';
import { type Colours, symbol } from './html.js';

/** Words of the largest type: a claim that is read at a glance. */
const claimWords = 25;

/**
 * The headline cut where one claim of it ends: what stands in large type, and what follows it; each part is a sentence. The
 * words stay, save that methods go by their labels in a claim that is too long with what they are.
 */
export function claimOf(
  headline: string,
  methods: readonly Pick<MethodCard, 'label' | 'plain'>[] = [],
): { readonly claim: string; readonly rest: string } {
  const short = (text: string) => text.split(/\s+/).length <= claimWords;
  if (short(headline)) return { claim: headline, rest: '' };
  for (const mark of [/[.;] /g, /: /g]) {
    const ends = [...headline.matchAll(mark)].map((m) => m.index + 1).filter((end) => short(headline.slice(0, end)));
    const end = ends.at(-1);
    if (end !== undefined) {
      return { claim: `${headline.slice(0, end - 1)}.`, rest: capital(headline.slice(end).trim()) };
    }
  }
  const end = /[.;:] /.exec(headline)?.index ?? headline.length;
  const labels = methods
    .toSorted((a, b) => b.plain.length - a.plain.length)
    .reduce((text, { label, plain }) => text.replaceAll(plain, label), headline.slice(0, end));
  if (!short(labels)) return { claim: headline, rest: '' };
  return { claim: `${labels.replace(/\.$/, '')}.`, rest: capital(headline.slice(end + 1).trim()) };
}

/**
 * Headline, picture, deck, notes, and the advice of each task: words of the record's answer, as they are.
 * @param picture HTML of the figure that shows the answer
 */
export function answerHtml(record: RunRecord, colours: Colours, picture = ''): string {
  const { claim, rest } = claimOf(record.answer.headline, record.methods);
  const paragraph = (line: string) => `<p class="deck">${unbroken(line)}</p>`;
  return `<section class="answer" aria-labelledby="answer">
<p class="eyebrow">${html(record.title)}</p>
<h1 id="answer">${unbroken(claim)}</h1>
${picture}
${[rest, ...record.answer.deck].filter(Boolean).map(paragraph).join('\n')}
${notes(record)
  .map(([kind, title, text]) => `<div class="note ${kind}"><strong>${title}</strong> ${text}</div>`)
  .join('\n')}
${taskAdvice(record, colours)}
</section>`;
}

/** Notes at the top, as [kind, title, HTML]. */
function notes(record: RunRecord): [string, string, string][] {
  const { sample, run, tasks, answer } = record;
  const found: [string, string, string][] = [];
  if (sample)
    found.push(['sample', 'Sample.', 'The numbers on this page are invented to show what a report looks like.']);
  if (run.scaledDown.length > 0) found.push(['', 'Scaled down.', run.scaledDown.map(html).join(' ')]);
  const unscored = tasks.filter((t) => t.cells.some((c) => c.status === 'done' && c.score === undefined));
  if (unscored.length > 0) {
    const where = unscored.length === tasks.length ? '' : ` on ${unscored.map((t) => html(t.task)).join(', ')}`;
    found.push([
      'missing',
      'Validation only.',
      `Test examples have no labels${where}: there are no test scores, and figures that need them are left out.`,
    ]);
  }
  const warned = new Map<string, string[]>();
  for (const { task, warnings } of tasks) for (const w of warnings) warned.set(w, [...(warned.get(w) ?? []), task]);
  const warnings = [...warned].map(
    ([w, names]) => `${tasks.length > 1 ? `${someOf(names)}: ` : ''}${w.replace(/\.$/, '')}.`,
  );
  if (warnings.length > 0) found.push(['missing', 'About the data.', warnings.map(html).join(' ')]);
  if (answer.missing.length > 0) {
    const items = answer.missing.map((line) => `<li>${unbroken(line)}</li>`).join('');
    found.push(['missing', 'Not what they seem, or missing.', `Marked wherever they are shown.<ul>${items}</ul>`]);
  }
  return found;
}

/** What several tasks are told alike is said once. */
const someOf = (names: readonly string[]): string =>
  list(names.length > NAMED + 1 ? [...names.slice(0, NAMED), `${names.length - NAMED} more`] : names);
const NAMED = 2;

/** One row per task at all its labels; of a single task, or where there is no advice, the headline says all. */
function taskAdvice(record: RunRecord, colours: Colours): string {
  const main = record.tasks.flatMap((task) => mainAnswer(record.answer, task) ?? []);
  if (main.length < 2 || main.every((a) => a.method === undefined)) return '';
  return adviceTable(record, main, { colours, column: 'affinity' });
}

/** Rows of the record's answer, with the number of labels or the domain affinity beside them. */
export function adviceTable(
  record: RunRecord,
  answers: readonly TaskAnswer[],
  { colours, column }: { colours: Colours; column: 'labels' | 'affinity' },
): string {
  const affinity = new Map(record.tasks.map((t) => [t.task, t.domainAffinity?.value]));
  const { each, others } = adviceOf(record.answer, answers);
  const numbers = each.map((a) => (column === 'labels' ? a.perClass : affinity.get(a.task)));
  const hasNumbers = numbers.some((n) => n !== undefined);
  const rows = each.map((a, i) => {
    const card = a.method === undefined ? undefined : cardOf(record, a.method);
    const mark = card ? symbol({ shape: card.shape, color: card.light }, colours) : '';
    const number = numbers[i];
    const text = number === undefined ? '–' : column === 'labels' ? String(number) : points(number);
    const cells = [
      `<th scope="row">${html(a.task)}</th>`,
      `<td class="advice">${mark}<span>${html(a.advice)}${a.decided || a.method === undefined ? '' : ' <em>undecided</em>'}</span></td>`,
      `<td class="because">${unbroken(a.sentence)}</td>`,
    ];
    if (hasNumbers) cells.splice(column === 'labels' ? 1 : 3, 0, `<td class="n">${text}</td>`);
    return `<tr data-task="${html(a.task)}">${cells.join('')}</tr>`;
  });
  const titles = ['task', 'the simplest that nothing beats', 'because'].map((title) => `<th scope="col">${title}</th>`);
  if (hasNumbers) {
    const [place, title] =
      column === 'labels' ? ([1, 'labels per class'] as const) : ([3, 'domain affinity, points'] as const);
    titles.splice(place, 0, `<th scope="col" class="n">${title}</th>`);
  }
  return `<div class="scroll" tabindex="0" role="region" aria-label="Advice"><table class="advice-table by-${column}"><caption class="unseen">Advice${column === 'labels' ? ' at each number of labels' : ''}</caption><thead><tr>${titles.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>${others ? `<p class="lead">${html(others)}</p>` : ''}`;
}

/** Intervals, p-values and percentages stay on one line. */
function unbroken(text: string): string {
  return html(text).replace(/\[[^\]]+\]|p (=|&#60;) [\d.]+|\d %/g, (part) => part.replaceAll(' ', '\u00a0'));
}
