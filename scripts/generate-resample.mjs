// Compiles src/data/resample.as.ts and writes the module into src/data/gen/resample.ts: npm run generate:resample
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'toehold-'));
const module = join(folder, 'resample.wasm');
const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
execFileSync('asc', [here('../src/data/resample.as.ts'), '-o', module, ...options], { stdio: 'inherit' });
const text = readFileSync(module)
  .toString('base64')
  .replace(/.{1,116}/g, "  '$&' +\n")
  .replace(/ \+\n$/, ';\n');
writeFileSync(
  here('../src/data/gen/resample.ts'),
  `// @generated from resample.as.ts by npm run generate:resample\nexport const resampleModule =\n${text}`,
);
rmSync(folder, { recursive: true });
