/**
 * toehold export OUT -o head.onnx: one file from image to class probabilities; --format web: a page that runs it;
 * --format tfjs: a model for pages that run TensorFlow.js.
 */
import { basename, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { claimFile, claimFolder, createStatus, quantity, UserError, writeFileAtomic } from '../base/index.js';
import { readModelFile, specialise, tfjsModel, writeModel, writeTfjs } from '../graph/index.js';
import { exportedKeys, exportProbe, exportSite, writeSite } from '../probe/index.js';
import { exportableOf, folderKind, trainedNetwork } from '../study/index.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags, type OutputFlags, wholeNumber } from './flags.js';
import { printJson, printText } from './output.js';

interface ExportFlags extends EngineFlags, OutputFlags {
  method?: string;
  task?: string;
  model?: string;
  store?: string;
  format: 'onnx' | 'web' | 'tfjs';
  thumbnails?: number;
  data?: string;
  json?: boolean;
}

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description(
      'write a probe or a trained network as one ONNX file, image in, class probabilities out; or as a page that runs it',
    )
    .argument('<run>', 'folder that toehold probe, train, run or ask wrote')
    .option(
      '-m, --method <name>',
      'which method; of probes head2toe if they have it, else their first; of a study the one advised',
    )
    .option('--task <name>', 'of a study with several: which')
    .option('--model <file>', 'the backbone, when it has moved')
    .option('--store <dir>', 'the feature store, when it has moved')
    .addOption(
      new Option(
        '--format <name>',
        'onnx: one file; web: a folder with a page that classifies images in the browser; tfjs: a folder with model.json',
      )
        .choices(['onnx', 'web', 'tfjs'])
        .default('onnx'),
    )
    .option('--thumbnails <n>', 'web: small copies of so many training images, to show the nearest', wholeNumber)
    .option('--data <dir>', 'web: the data set that thumbnails are of, when it has moved')
    .option('--json', 'print one JSON document');
  addOutput(command, {
    kind: 'file',
    text: 'file to write; with --format web or tfjs a folder',
    fallback: 'head.onnx',
  });
  addEngineFlags(command).action(async (folder: string, given: ExportFlags) => {
    const byDefault = command.getOptionValueSource('output') === 'default';
    const found = await resolved(folder, given);
    const { run } = found;
    const flags = { ...given, ...('method' in found ? { method: found.method } : {}) };
    if ('trained' in found) {
      await exportTrained(found, flags, byDefault);
      return;
    }
    if (flags.format === 'web') {
      await exportPage(run, flags, byDefault);
      return;
    }
    for (const name of ['thumbnails', 'data'] as const) {
      if (flags[name] !== undefined) throw new UserError(`--${name} is for pages: add --format web`);
    }
    if (flags.format === 'tfjs') {
      await exportTfjs(run, flags, byDefault);
      return;
    }
    await claimFile(flags.output, isHead, { force: flags.force, inputs: [flags.model] });
    const engine = await createEngine(flags);
    const { method, model, store } = flags;
    const exported = await exportProbe(engine, run, { method, model, store });
    const bytes = writeModel(exported.graph);
    await writeFileAtomic(flags.output, bytes);
    if (flags.json) {
      printJson({ file: flags.output, bytes: bytes.length, method: exported.method, deepestTap: exported.deepest });
    } else {
      printText([
        `${flags.output}: ${exported.method}, backbone up to ${exported.deepest}, ${quantity(bytes.length, 'B')}; input image uint8 [H, W, 3], output ${exported.graph.outputs[0]?.name}`,
      ]);
    }
  });
}

type Resolved =
  | { readonly run: string; readonly method?: string | undefined }
  | { readonly run: string; readonly trained: string; readonly title: string; readonly network: string };

/** What a folder stands for: of a study the folder of a probe or the file of a network, of a training the file. */
async function resolved(folder: string, flags: ExportFlags): Promise<Resolved> {
  const kind = await folderKind(folder);
  if (kind !== 'study' && flags.task !== undefined) throw new UserError('--task is for the folder of a study');
  if (kind === 'training') {
    if (flags.method !== undefined) throw new UserError(`${folder} holds one trained network: leave out --method`);
    const title = basename(resolve(folder));
    return { run: folder, trained: join(folder, 'model.onnx'), title, network: title };
  }
  if (kind === undefined) return { run: folder, method: flags.method };
  const status = createStatus({ quiet: flags.json === true });
  const { method, task } = flags;
  const found = await exportableOf(await createEngine(flags), folder, { method, task }, (note) =>
    status.show(`fitted as in the study: ${note}`),
  );
  status.end();
  if (found.kind === 'trained') {
    const { file, title, network } = found;
    return { run: folder, trained: file, title, network };
  }
  return { run: found.folder, method: found.method };
}

/** A trained network, as one file or as a page. */
async function exportTrained(
  { trained, title, network: name }: Extract<Resolved, { trained: string }>,
  flags: ExportFlags,
  byDefault: boolean,
): Promise<void> {
  for (const name of ['model', 'store', 'thumbnails', 'data'] as const) {
    if (flags[name] !== undefined) throw new UserError(`--${name} is for probes: a trained network is whole`);
  }
  if (flags.format === 'tfjs') {
    throw new UserError(`a trained network becomes TensorFlow.js by toehold convert ${trained} -o model.json`);
  }
  const isPage = flags.format === 'web';
  const output = isPage && byDefault ? 'site' : flags.output;
  if (isPage) await claimFolder(output, 'a page of a probe', { force: flags.force, inputs: [trained] });
  else await claimFile(output, isHead, { force: flags.force, inputs: [trained] });
  const { graph, classes, method, sha256 } = await trainedNetwork(await createEngine(flags), trained);
  if (isPage && graph.metadata.has(exportedKeys.target))
    throw new UserError('a page shows classes, and this network says values or several labels: export it as one file');
  const page = { title, classes, method, temperature: 1, layers: [], averaged: 0, model: name, sha256 };
  if (isPage) {
    const site = await writeSite(output, page, graph);
    if (flags.json) printJson({ file: site.page, bytes: site.bytes, files: site.files, method });
    else
      printText([`${site.page}: ${method} of ${name}, ${quantity(site.bytes, 'B')} in ${site.files} files`, opening]);
    return;
  }
  const bytes = writeModel(graph);
  await writeFileAtomic(output, bytes);
  if (flags.json) printJson({ file: output, bytes: bytes.length, method });
  else
    printText([
      `${output}: ${method} of ${name}, ${quantity(bytes.length, 'B')}; input image uint8 [H, W, 3], output ${graph.outputs[0]?.name}`,
    ]);
}

const opening = 'open it in a browser, or put the folder on any web server: no image leaves the device';

async function exportPage(run: string, flags: ExportFlags, byDefault: boolean): Promise<void> {
  const output = byDefault ? 'site' : flags.output;
  await claimFolder(output, 'a page of a probe', { force: flags.force, inputs: [flags.model, flags.data] });
  const { method, model, store, thumbnails, data } = flags;
  const engine = await createEngine(flags);
  const site = await exportSite(engine, run, output, { method, model, store, thumbnails, data });
  if (flags.json) {
    const { page, bytes, files, deepest, thumbnails } = site;
    printJson({ file: page, bytes, files, method: site.method, deepestTap: deepest, thumbnails });
  } else {
    const shown = site.thumbnails > 0 ? `; ${site.thumbnails} training images are in it` : '';
    printText([
      `${site.page}: ${site.method}, backbone up to ${site.deepest}, ${quantity(site.bytes, 'B')} in ${site.files} files${shown}`,
      opening,
    ]);
  }
}

async function exportTfjs(run: string, flags: ExportFlags, byDefault: boolean): Promise<void> {
  const output = byDefault ? 'head' : flags.output;
  await claimFolder(output, 'a model of TensorFlow.js', { force: flags.force, inputs: [flags.model] });
  const { method, model, store } = flags;
  const engine = await createEngine(flags);
  const exported = await exportProbe(engine, run, { method, model, store, image: 'resized' });
  const shape = exported.graph.inputs[0]?.shape as [number, number, number, number];
  const network = await specialise(exported.graph, engine, shape);
  const { files, bytes } = await writeTfjs(join(output, 'model.json'), tfjsModel(network));
  const [, height, width] = shape;
  if (flags.json) {
    printJson({ file: files[0], files, bytes, method: exported.method, deepestTap: exported.deepest, input: shape });
  } else {
    printText([
      `${files[0]}: ${exported.method}, backbone up to ${exported.deepest}, ${quantity(bytes, 'B')} in ${files.length} files`,
      `input image [1, ${height}, ${width}, 3], RGB from 0 to 255, resized by the page; output probabilities`,
    ]);
  }
}

/** A trained network, which is ours as well, may be somebody's only copy: it is no head. */
async function isHead(path: string): Promise<boolean> {
  const graph = await readModelFile(path).catch(() => undefined);
  return graph?.metadata.has(exportedKeys.method) ?? false;
}
