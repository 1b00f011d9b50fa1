/** docs/reliability.md says what the figures beside it say. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { reliabilityPage } from '../../docs/reliability/page.js';

test('the page is drawn from its figures', async () => {
  const page = await readFile(new URL('../../docs/reliability.md', import.meta.url), 'utf8');
  expect(page, 'run npx tsx docs/reliability/draw.ts').toBe(await reliabilityPage());
});
