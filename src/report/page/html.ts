/** Pieces of HTML that the page's parts share. */
import type { KeyEntry } from '../figures/index.js';
import { html, type Table, toHtml } from '../table.js';
import { type Colour, themed } from '../theme.js';

export type Colours = readonly Colour[];

export function symbol({ shape, color, look }: Pick<KeyEntry, 'shape' | 'color' | 'look'>, colours: Colours): string {
  const hex = themed(color, colours);
  const paint = look === 'hollow' ? `fill="none" stroke="${hex}" stroke-width=".4"` : `fill="${hex}"`;
  const opacity = look === 'pale' ? ' opacity=".45"' : '';
  return `<svg class="symbol" viewBox="-1.3 -1.3 2.6 2.6" aria-hidden="true"><path d="${html(shape)}" ${paint}${opacity}/></svg>`;
}

export function keyHtml(entries: readonly KeyEntry[], colours: Colours): string {
  const unique = [...new Map(entries.map((e) => [e.label, e])).values()];
  const items = unique.map(
    (e) => `<li${e.method ? ` data-method="${html(e.method)}"` : ''}>${symbol(e, colours)}${html(e.label)}</li>`,
  );
  return `<ul class="key">${items.join('')}</ul>`;
}

export const tableHtml = (table: Table, task?: string, above?: string): string =>
  `<div class="scroll" tabindex="0" role="region" aria-label="${html(table.caption)}"${task ? ` data-task="${html(task)}"` : ''}>${toHtml(table, above)}</div>`;

/** Tables behind a line that opens them; without rows nothing. */
export function details(summary: string, tables: readonly Table[], open = false): string {
  const filled = tables.filter((t) => t.rows.length > 0);
  if (filled.length === 0) return '';
  return `<details class="tables"${open ? ' open' : ''}><summary>${html(summary)}</summary>${filled.map((t) => tableHtml(t, undefined, summary)).join('\n')}</details>`;
}
