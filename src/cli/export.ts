/** toehold export OUT -o head.onnx: one file from image to class probabilities; --format web: a page that runs it. */
import { type Command, Option } from 'commander';
import { claimFile, claimFolder, quantity, UserError, writeFileAtomic } from '../base/index.js';
import { readModelFile, writeModel } from '../graph/index.js';
import { exportedKeys, exportProbe, exportSite } from '../probe/index.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags, type OutputFlags, wholeNumber } from './flags.js';
import { printJson, printText } from './output.js';

interface ExportFlags extends EngineFlags, OutputFlags {
  method?: string;
  model?: string;
  store?: string;
  format: 'onnx' | 'web';
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
      new Option('--format <name>', 'onnx: one file; web: a folder with a page that classifies images in the browser')
        .choices(['onnx', 'web'])
        .default('onnx'),
    )
    .option('--thumbnails <n>', 'web: small copies of so many training images, to show the nearest', wholeNumber)
    .option('--data <dir>', 'web: the data set that thumbnails are of, when it has moved')
    .option('--json', 'print one JSON document');
  addOutput(command, { kind: 'file', text: 'file, or with --format web folder, to write', fallback: 'head.onnx' });
  addEngineFlags(command).action(async (run: string, flags: ExportFlags) => {
    if (flags.format === 'web') {
      await exportPage(run, flags, command.getOptionValueSource('output') === 'default');
      return;
    }
    for (const name of ['thumbnails', 'data'] as const) {
      if (flags[name] !== undefined) throw new UserError(`--${name} is for pages: add --format web`);
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
        `${flags.output}: ${exported.method}, backbone up to ${exported.deepest}, ${quantity(bytes.length, 'B')}; input image uint8 [H, W, 3], output probabilities`,
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

/** A trained network, which is ours as well, may be somebody's only copy: it is no head. */
async function isHead(path: string): Promise<boolean> {
  const graph = await readModelFile(path).catch(() => undefined);
  return graph?.metadata.has(exportedKeys.method) ?? false;
}
