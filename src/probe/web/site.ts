/** A probe as a static page: everything that it needs lies beside it, and nothing leaves the device of who opens it. */
import { readFile } from 'node:fs/promises';
import { ownFile, packageCommit, packageVersion, UserError, writeFileAtomic } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { type Graph, writeModel } from '../../graph/index.js';
import { type ExportOptions, exportedGraph, openExport } from '../export.js';
import { isLinear } from '../head-graph.js';
import { thumbnails, trainingExamples } from './examples.js';
import { explain } from './explain.js';
import { sitePage } from './page.js';
import { packed, runtimeScript, webLibrary, webRuntimes } from './runtime.js';

export interface WebExportOptions extends ExportOptions {
  /** So many training images are shown as the nearest ones to choose from; 0, the default: none leave the data set. */
  readonly thumbnails?: number | undefined;
  /** The data set, when it has moved. */
  readonly data?: string | undefined;
}

export interface WrittenSite {
  readonly page: string;
  readonly method: string;
  readonly deepest: string;
  readonly bytes: number;
  readonly files: number;
  /** Training images in it. */
  readonly thumbnails: number;
}

/** Training examples whose mean is the average image. */
const averaged = 500;
const mostThumbnails = 1000;

/** What the page reads of the model beside its graph. */
interface Card {
  readonly title: string;
  readonly classes: readonly string[];
  readonly method: string;
  readonly temperature: number;
  /** Names of the rows of `layers`, and depths in the network. */
  readonly layers: readonly { readonly alias: string; readonly depth: number }[];
  readonly averaged: number;
  readonly model: string;
  readonly sha256: string;
  readonly toehold: string;
  readonly runtime: string;
  readonly neighbours?: {
    readonly dimensions: number;
    /** (n, d), float32 as base64. */
    readonly coordinates: string;
    readonly examples: readonly { readonly image: string; readonly label: number; readonly file: string }[];
  };
}

const asset = (name: string) => readFile(ownFile(`assets/web/${name}`), 'utf8');

/**
 * Writes index.html, model.js and runtime-*.js: open the page from disk, or put the folder on any server of files.
 * @param directory what `probe -o` wrote
 * @param output an empty folder, or one with an earlier page
 */
export async function exportSite(
  engine: Engine,
  directory: string,
  output: string,
  options: WebExportOptions = {},
): Promise<WrittenSite> {
  const wanted = options.thumbnails ?? 0;
  if (wanted > mostThumbnails) {
    throw new UserError(`${wanted} thumbnails are too many for a page: give at most ${mostThumbnails}`);
  }
  await webLibrary();
  const opened = await openExport(directory, options);
  const { run, head, store } = opened;
  if (run.target !== 'class') {
    throw new UserError(`${directory} holds probes of --target ${run.target}: a page shows classes; export it as ONNX`);
  }
  if (!isLinear(head)) {
    throw new UserError(
      `${head.method} of ${directory} is not linear: a page shows what each layer adds to the answer; export it as ONNX, or another method with --method`,
    );
  }
  const examples = await trainingExamples(directory, store, wanted > 0 ? wanted : averaged);
  if (examples.length === 0)
    throw new UserError(`${store.directory} holds no labelled training examples: extract again`);
  const { explained, neighbourhood } = await explain(engine, { ...opened, head }, examples, wanted > 0);
  const images = neighbourhood
    ? await thumbnails(
        options.data ?? store.meta.data.root,
        examples.map((e) => e.file),
      )
    : [];
  const { graph, deepest } = await exportedGraph(engine, opened, explained);
  const card: Page = {
    title: run.record?.tasks[0]?.task ?? head.method,
    classes: run.outputs,
    method: run.record?.methods.find((m) => m.id === head.method)?.label ?? head.method,
    temperature: head.temperature,
    layers: opened.chosen.map(({ tap }) => ({ alias: tap.alias, depth: tap.depth })),
    averaged: examples.length,
    model: store.meta.model.name,
    sha256: store.meta.model.sha256,
    ...(neighbourhood && {
      neighbours: {
        dimensions: neighbourhood.dimensions,
        coordinates: Buffer.from(neighbourhood.coordinates.buffer).toString('base64'),
        examples: examples.map(({ label, file }, i) => ({ image: images[i] as string, label, file })),
      },
    }),
  };
  const written = await writeSite(output, card, graph);
  return { ...written, method: head.method, deepest, thumbnails: images.length };
}

/** What the page of a graph says beside it. */
export type Page = Omit<Card, 'toehold' | 'runtime'>;

/**
 * Writes the page of a graph that turns `image` into `probabilities` and, where the card names layers, says why (see headGraph).
 * @param output an empty folder, or one with an earlier page
 */
export async function writeSite(
  output: string,
  page: Page,
  graph: Graph,
): Promise<Pick<WrittenSite, 'page' | 'bytes' | 'files'>> {
  const library = await webLibrary();
  const [version, commit] = [packageVersion(), packageCommit()];
  const toehold = commit === undefined ? version : `${version} (commit ${commit.slice(0, 12)})`;
  const card: Card = { ...page, toehold, runtime: `onnxruntime-web ${library.version}` };
  const [css, js] = await Promise.all([asset('site.css'), asset('site.js')]);
  const index = sitePage({
    title: escaped(card.title),
    css,
    js,
    card: JSON.stringify(card).replaceAll('<', '\\u003c'),
  });
  const files: [string, string][] = [
    ['model.js', await packed('model', writeModel(graph))],
    ...(await Promise.all(
      webRuntimes.map(
        async (runtime): Promise<[string, string]> => [
          `runtime-${runtime}.js`,
          await runtimeScript(library.folder, runtime),
        ],
      ),
    )),
    // Last: a page that is there is whole.
    ['index.html', index],
  ];
  for (const [file, text] of files) await writeFileAtomic({ root: output, file }, text);
  return {
    page: `${output.replace(/\/$/, '')}/index.html`,
    bytes: files.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0),
    files: files.length,
  };
}

const escaped = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
