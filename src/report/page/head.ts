/** The page's head: the record's answer, and what a reader must know before the figures. */
import { done, points, type RunRecord } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { html } from '../table.js';
import { type Colours, symbol } from './html.js';

/** Headline, deck, notes, and the advice of each task: words of the record's answer, as they are. */
export function answerHtml(record: RunRecord, colours: Colours): string {
  const { headline, deck } = record.answer;
  return `<section class="answer" aria-labelledby="answer">
<p class="eyebrow">${html(record.title)}</p>
<h1 id="answer">${unbroken(headline)}</h1>
${deck.map((line) => `<p class="deck">${html(line)}</p>`).join('\n')}
${notes(record)
  .map(([kind, title, text]) => `<p class="note ${kind}"><strong>${title}</strong> ${text}</p>`)
  .join('\n')}
${adviceTable(record, colours)}
</section>`;
}

/** Notes at the top, as [kind, title, HTML]. */
function notes(record: RunRecord): [string, string, string][] {
  const { sample, run, tasks, answer } = record;
  const found: [string, string, string][] = [];
  if (sample)
    found.push(['sample', 'Sample.', 'The numbers on this page are invented to show what a report looks like.']);
  if (run.scaledDown.length > 0) found.push(['', 'Scaled down.', run.scaledDown.map(html).join(' ')]);
  const unscored = tasks.filter((t) =>
    t.cells.some((c) => done(t, c.method)?.score === undefined && c.status === 'done'),
  );
  if (unscored.length > 0) {
    const where = unscored.length === tasks.length ? '' : ` on ${unscored.map((t) => html(t.task)).join(', ')}`;
    found.push([
      'missing',
      'Validation only.',
      `Test examples have no labels${where}: there are no test scores, and figures that need them are left out.`,
    ]);
  }
  const warnings = tasks.flatMap((t) => t.warnings.map((w) => (tasks.length > 1 ? `${t.task}: ${w}` : w)));
  if (warnings.length > 0) found.push(['missing', 'About the data.', warnings.map(html).join(' ')]);
  if (answer.missing.length > 0) {
    const where = 'They are marked wherever they are shown.';
    found.push(['missing', 'Not what they seem, or missing.', `${answer.missing.map(html).join(' ')} ${where}`]);
  }
  return found;
}

/** One row per task; of a single task the headline has said all. */
function adviceTable(record: RunRecord, colours: Colours): string {
  const { tasks, answer } = record;
  if (tasks.length < 2) return '';
  const affinity = tasks.some((t) => t.domainAffinity !== undefined);
  const rows = tasks.flatMap((task) => {
    const own = answer.tasks.find((t) => t.task === task.task && t.perClass === task.perClass);
    if (!own) return [];
    const card = own.method === undefined ? undefined : cardOf(record, own.method);
    const mark = card ? symbol({ shape: card.shape, color: card.light }, colours) : '';
    const number = task.domainAffinity === undefined ? '–' : points(task.domainAffinity);
    return [
      `<tr data-task="${html(task.task)}"><th scope="row">${html(task.task)}</th><td class="advice">${mark}<span>${html(own.advice)}</span></td><td>${unbroken(own.sentence)}</td>${affinity ? `<td class="n">${number}</td>` : ''}</tr>`,
    ];
  });
  const columns = `<th scope="col">task</th><th scope="col">the simplest that nothing beats</th><th scope="col">because</th>${affinity ? '<th scope="col" class="n">domain affinity, points</th>' : ''}`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="Advice per task"><table class="advice-table"><thead><tr>${columns}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

/** Intervals and p-values stay on one line. */
function unbroken(text: string): string {
  return html(text).replace(/\[[^\]]+\]|p (=|&#60;) [\d.]+/g, (part) => part.replaceAll(' ', '\u00a0'));
}
