/** toehold convert MODEL -o model.onnx: a model of TensorFlow.js as ONNX; -o model.json: a network as one of TensorFlow.js. */

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { claimFile, quantity, writeFileAtomic } from '../base/index.js';
import { loadBackbone, specialiseBackbone } from '../features/index.js';
import { readForeign, readModelFile, tfjsModel, writeModel, writeTfjs } from '../graph/index.js';
import { addBackboneFlags, type BackboneFlags, backboneOptions } from './backbone-flags.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags, type OutputFlags } from './flags.js';
import { printJson, printText } from './output.js';

interface ConvertFlags extends EngineFlags, BackboneFlags, OutputFlags {
  json?: boolean;
}

/** Where a file says that it was converted. */
const key = 'toehold.converted';

export function registerConvert(program: Command): void {
  const command = program
    .command('convert')
    .description('write a model of TensorFlow.js as an ONNX file, or any network as a model of TensorFlow.js')
    .argument('<model>', 'model.json, of layers or of operations, with its weights beside it; or what extract reads')
    .option('--json', 'print one JSON document');
  addOutput(command, { kind: 'file', text: 'file to write: model.onnx or model.json', fallback: 'model.onnx' });
  addBackboneFlags(command);
  addEngineFlags(command).action(async (model: string, flags: ConvertFlags) => {
    const isOurs = flags.output.endsWith('.json') ? isOurModelJson : isConverted;
    await claimFile(flags.output, isOurs, { force: flags.force, inputs: [model] });
    await (flags.output.endsWith('.json') ? toTfjs : toOnnx)(model, flags);
  });
}

async function toOnnx(model: string, { output, json }: ConvertFlags): Promise<void> {
  const graph = await readForeign(model);
  const bytes = writeModel({ ...graph, metadata: new Map([...graph.metadata, [key, 'tfjs']]) });
  await writeFileAtomic(output, bytes);
  const inputs = graph.inputs.map(({ name, shape }) => ({ name, shape: shape ?? null }));
  if (json) printJson({ file: output, bytes: bytes.length, nodes: graph.nodes.length, inputs });
  else {
    const input = inputs.map(({ name, shape }) => `${name} [${shape?.join(', ')}]`).join(', ');
    printText([`${output}: ${graph.nodes.length} nodes, ${quantity(bytes.length, 'B')}; input ${input}`]);
  }
}

/** For one image of the size that its preprocessing names. */
async function toTfjs(model: string, flags: ConvertFlags): Promise<void> {
  const engine = await createEngine(flags);
  const backbone = await loadBackbone(model, engine, backboneOptions(flags));
  const network = await specialiseBackbone(backbone, engine, 1);
  const converted = tfjsModel(network);
  const { files, bytes } = await writeTfjs(flags.output, converted);
  const { input } = converted;
  if (flags.json) {
    printJson({ file: flags.output, files, bytes, operations: converted.operations, inputs: [input] });
  } else {
    printText([
      `${flags.output}: ${converted.operations} operations, ${quantity(bytes, 'B')} in ${files.length} files; input ${input.name} [${input.shape.join(', ')}], preprocessed`,
    ]);
  }
}

/** A file that this command wrote. */
async function isConverted(path: string): Promise<boolean> {
  const graph = await readModelFile(path).catch(() => undefined);
  return graph?.metadata.has(key) ?? false;
}

async function isOurModelJson(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.slice(0, 200).includes('"generatedBy":"toehold"');
}
