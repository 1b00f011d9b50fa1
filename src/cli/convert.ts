/** toehold convert MODEL -o model.onnx: a network of another kind of file as ONNX. */
import type { Command } from 'commander';
import { claimFile, quantity, writeFileAtomic } from '../base/index.js';
import { readForeign, readModelFile, writeModel } from '../graph/index.js';
import { addOutput, type OutputFlags } from './flags.js';
import { printJson, printText } from './output.js';

interface ConvertFlags extends OutputFlags {
  json?: boolean;
}

/** Where a file says that it was converted. */
const key = 'toehold.converted';

export function registerConvert(program: Command): void {
  const command = program
    .command('convert')
    .description('write a model of TensorFlow.js as an ONNX file')
    .argument('<model>', 'model.json, of layers or of operations, with its weights beside it')
    .option('--json', 'print one JSON document');
  addOutput(command, { kind: 'file', text: 'ONNX file to write', fallback: 'model.onnx' });
  command.action(async (model: string, flags: ConvertFlags) => {
    await claimFile(flags.output, isConverted, { force: flags.force, inputs: [model] });
    const graph = await readForeign(model);
    const bytes = writeModel({ ...graph, metadata: new Map([...graph.metadata, [key, 'tfjs']]) });
    await writeFileAtomic(flags.output, bytes);
    const inputs = graph.inputs.map(({ name, shape }) => ({ name, shape: shape ?? null }));
    if (flags.json) printJson({ file: flags.output, bytes: bytes.length, nodes: graph.nodes.length, inputs });
    else {
      const input = inputs.map(({ name, shape }) => `${name} [${shape?.join(', ')}]`).join(', ');
      printText([`${flags.output}: ${graph.nodes.length} nodes, ${quantity(bytes.length, 'B')}; input ${input}`]);
    }
  });
}

/** A file that this command wrote. */
async function isConverted(path: string): Promise<boolean> {
  const graph = await readModelFile(path).catch(() => undefined);
  return graph?.metadata.has(key) ?? false;
}
