/**
 * toehold export OUT -o head.onnx: one file from image to class probabilities; --format web: a page that runs it;
 * --format tfjs: a model for pages that run TensorFlow.js.
 */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { claimFile, claimFolder, quantity, UserError, writeFileAtomic } from '../base/index.js';
import { readModelFile, specialise, tfjsModel, writeModel, writeTfjs } from '../graph/index.js';
import { exportedKeys, exportProbe, exportSite } from '../probe/index.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags, type OutputFlags, wholeNumber } from './flags.js';
import { printJson, printText } from './output.js';

interface ExportFlags extends EngineFlags, OutputFlags {
  method?: string;
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
    .description('write a probe as one ONNX file, image in, class probabilities out; or as a page that runs it')
    .argument('<run>', 'folder that toehold probe -o wrote')
    .option('-m, --method <name>', 'which method; head2toe if the run has it, else its first')
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
  addEngineFlags(command).action(async (run: string, flags: ExportFlags) => {
    if (flags.format === 'web') {
      await exportPage(run, flags, command.getOptionValueSource('output') === 'default');
      return;
    }
    for (const name of ['thumbnails', 'data'] as const) {
      if (flags[name] !== undefined) throw new UserError(`--${name} is for pages: add --format web`);
    }
    if (flags.format === 'tfjs') {
      await exportTfjs(run, flags, command.getOptionValueSource('output') === 'default');
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
      'open it in a browser, or put the folder on any web server: no image leaves the device',
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
