/** Writes docs/reliability.md anew: npx tsx docs/reliability/draw.ts */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { reliabilityPage } from './page.js';

await writeFile(fileURLToPath(new URL('../reliability.md', import.meta.url)), await reliabilityPage());
