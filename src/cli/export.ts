/** toehold export OUT -o head.onnx: one file from image to class probabilities. */
import type { Command } from 'commander';
import { claimFile, quantity, writeFileAtomic } from '../base/index.js';
import { readModelFile, writeModel } from '../graph/index.js';
import { exportedKeys, exportProbe } from '../probe/index.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags, type OutputFlags } from './flags.js';
import { printJson, printText } from './output.js';

interface ExportFlags extends EngineFlags, OutputFlags {
  method?: string;
  model?: string;
  store?: string;
  json?: boolean;
}

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description('write a probe as one ONNX file: image in, class probabilities out')
    .argument('<run>', 'folder that toehold probe -o wrote')
    .option('-m, --method <name>', 'which method; head2toe if the run has it, else its first')
    .option('--model <file>', 'the backbone, when it has moved')
    .option('--store <dir>', 'the feature store, when it has moved')
    .option('--json', 'print one JSON document');
  addOutput(command, { kind: 'file', text: 'ONNX file to write', fallback: 'head.onnx' });
  addEngineFlags(command).action(async (run: string, flags: ExportFlags) => {
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

/** A trained network, which is ours as well, may be somebody's only copy: it is no head. */
async function isHead(path: string): Promise<boolean> {
  const graph = await readModelFile(path).catch(() => undefined);
  return graph?.metadata.has(exportedKeys.method) ?? false;
}
