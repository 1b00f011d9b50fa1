/**
 * Fills docs/guide.md from the programs that it shows: npm run guide [-- NAME ...]
 *
 * Between `<!-- example: NAME; what its figure shows -->` and `<!-- end -->` stand the program examples/NAME.mjs, what it printed,
 * and the figure that it wrote to docs/images/guide-NAME.svg. The programs are run one after the other, with what `npm run build`
 * has put into dist. test/examples/programs.test.ts runs them too, and compares.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const block = /(<!-- example: (\w+)(?:; (.*?))? -->\n)([\s\S]*?)(<!-- end -->)/g;

/** Every example of a guide: its name, its figure's words where it has one, what stands there, and what of it was printed. */
export function examplesIn(text) {
  return [...text.matchAll(block)].map(([, , name, figure, body]) => {
    const printed = /\nprints\n```\n([\s\S]*?)```\n/.exec(body)?.[1] ?? '';
    return { name, figure, body, printed };
  });
}

/** What a program is called with: the file of its figure where it has one, then that of the model where it writes one. */
export function argumentsOf({ figure, code }, drawing, model) {
  return [...(figure === undefined ? [] : [drawing]), ...(code.includes('export as') ? [model] : [])];
}

/** What the guide has of an example. */
export function section({ name, figure, code, printed }) {
  const file = `examples/${name}.mjs`;
  return [
    `[${file}](../${file})`,
    `\`\`\`js\n${code}\`\`\``,
    ...(printed === '' ? [] : [`prints\n\`\`\`\n${printed}\`\`\``]),
    ...(figure === undefined ? [] : ['', `![${figure}](images/guide-${name}.svg)`]),
    '',
  ].join('\n');
}

function main(names) {
  const guide = join(root, 'docs/guide.md');
  const scratch = mkdtempSync(join(tmpdir(), 'guide-'));
  try {
    const text = readFileSync(guide, 'utf8').replace(block, (whole, start, name, figure, _, end) => {
      if (names.length > 0 && !names.includes(name)) return whole;
      const code = readFileSync(join(root, `examples/${name}.mjs`), 'utf8');
      const [drawing, model] = [join(root, `docs/images/guide-${name}.svg`), join(scratch, `${name}.onnx`)];
      const args = argumentsOf({ figure, code }, drawing, model);
      const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] };
      const printed = execFileSync(process.execPath, [`examples/${name}.mjs`, ...args], options);
      console.log(name);
      return `${start}${section({ name, figure, code, printed })}${end}`;
    });
    writeFileSync(guide, text);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
