/**
 * The code of dist: `node scripts/bundle.mjs [FOLDER]`. tsc writes the declarations.
 *
 * The sources are some seven hundred modules, and Node takes longer to find, read and link these than a short command takes to
 * work. So they are put together: one file for each door of the package and for each command, and chunks of what these share,
 * loaded once, whoever asks. Small libraries of JavaScript that every command needs come along, without the parts that nobody
 * calls; what is native or large stays a package, and is loaded by whom it concerns.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Put into the chunks; their licences are in dist/LICENCES.txt. */
const inside = new Set([
  '@bufbuild/protobuf',
  'commander',
  'ml-matrix',
  'picomatch',
  'string-width',
  'wrap-ansi',
  'yaml',
  'zod',
]);
const packages = Object.keys({
  ...manifest.dependencies,
  ...manifest.peerDependencies,
  ...manifest.optionalDependencies,
});
const outside = [...packages.filter((name) => !inside.has(name)), 'toehold-runtime-*'];

const doors = Object.values(manifest.exports).flatMap((door) => door.default ?? []);
const sourceOf = (built) => built.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts');
const nameOf = (built) => built.replace(/^\.\/dist\//, '').replace(/\.js$/, '');
const entry = (built) => ({ in: sourceOf(built), out: nameOf(built) });
const browser = './dist/browser/index.js';

/** Modules of Node without effects of their own: nobody's import of one is kept for its sake. */
const builtins = {
  name: 'builtins',
  setup({ onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};

/** Libraries of CommonJS that are put inside ask for modules of Node by `require`, which scripts of dist do not have. */
const required = {
  name: 'required',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:|^(events|child_process|path|fs|process)$/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, namespace: 'required' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `import found from '${path.startsWith('node:') ? path : `node:${path}`}'; module.exports = found;`,
    }));
  },
};

/** Tables of all emoji and of how text is divided, 37 ms of a process that may print nothing, made when they are first asked for. */
const lateTables = {
  name: 'late-tables',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]string-width[\\/]index\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      for (const [early, late] of [
        [
          'const segmenter = new Intl.Segmenter();',
          'let made;\nconst segmenter = { segment: (s) => (made ??= new Intl.Segmenter()).segment(s) };',
        ],
        [
          'const rgiEmojiRegex = /^\\p{RGI_Emoji}$/v;',
          "let rgi;\nconst rgiEmojiRegex = { test: (s) => (rgi ??= new RegExp('^\\\\p{RGI_Emoji}$', 'v')).test(s) };",
        ],
      ]) {
        if (!contents.includes(early)) throw new Error(`${path} has no '${early}'`);
        contents = contents.replace(early, () => late);
      }
      return { contents, loader: 'js' };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: 'node20.19',
  charset: 'utf8',
  sourcemap: true,
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [required, builtins, lateTables],
};

/**
 * @param folder is emptied of scripts, and then holds those of dist
 * @returns of each file what esbuild says of it: its imports, and the modules that it is made of
 */
export async function bundle(folder = join(root, 'dist')) {
  const outdir = resolve(folder);
  for (const file of scriptsIn(outdir)) rmSync(file);
  const results = [
    await build({
      ...common,
      outdir,
      platform: 'node',
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      entryPoints: [
        ...doors.filter((door) => door !== browser).map(entry),
        entry('./dist/cli/main.js'),
        // A thread's own script, beside the chunk that starts it.
        { in: 'src/engine/onnxruntime/worker.js', out: 'chunks/worker' },
      ],
      external: outside,
      // Its modules for bundlers, not the CommonJS that Node would be given.
      alias: { yaml: './node_modules/yaml/browser/index.js' },
    }),
    // For bundlers of pages, which know best what to do with packages.
    await build({ ...common, outdir, platform: 'neutral', entryPoints: [entry(browser)], external: packages }),
  ];
  const warnings = results.flatMap((result) => result.warnings);
  if (warnings.length > 0) throw new Error(`esbuild warns: ${warnings[0].text}`);
  const outputs = results.flatMap(({ metafile }) => Object.entries(metafile.outputs));
  const starter = outputs.find(([, { inputs }]) => 'src/engine/onnxruntime/workers.ts' in inputs)?.[0] ?? '';
  if (!/(^|\/)chunks\//.test(starter)) throw new Error(`${starter} starts worker.js, which is in chunks/`);
  writeFileSync(join(outdir, 'LICENCES.txt'), licencesOf(outputs.flatMap(([, { inputs }]) => Object.keys(inputs))));
  return Object.fromEntries(outputs);
}

function scriptsIn(folder) {
  let names = [];
  try {
    names = readdirSync(folder, { recursive: true });
  } catch {
    return [];
  }
  return names.filter((name) => /\.js(\.map)?$/.test(name)).map((name) => join(folder, name));
}

/** @returns the text of the licence of every package with a file among these */
function licencesOf(files) {
  const folders = files.flatMap((file) => /.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? `${license}\n` : readFileSync(join(root, folder, file), 'utf8');
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return `Parts of these packages are in the scripts beside this file.\n\n${texts.join('\n---\n\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(process.argv[2]);
