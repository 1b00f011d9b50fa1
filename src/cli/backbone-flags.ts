/** Flags that say how a backbone reads images. */
import { type Command, InvalidArgumentError } from 'commander';
import type { BackboneOptions } from '../features/index.js';

/** What MODEL may be. */
export const modelHelp = 'ONNX file, model.json of TensorFlow.js, or hf:owner/name[@revision][/file]';

export interface BackboneFlags {
  preprocess?: string;
  size?: [number, number];
}

function parseSize(text: string): [number, number] {
  const [, height, width = height] = /^(\d+)(?:[x,](\d+))?$/.exec(text) ?? [];
  if (!height || Number(height) < 1 || Number(width) < 1)
    throw new InvalidArgumentError('give pixels: 224 or 192x224.');
  return [Number(height), Number(width)];
}

export function addBackboneFlags(command: Command): Command {
  return command
    .option(
      '--preprocess <name>',
      'preset (imagenet, imagenet-crop, tf, half, cifar, clip ...) or JSON file; by default preprocess.json beside the model',
    )
    .option('--size <pixels>', 'input height and width, e.g. 224 or 192x224', parseSize);
}

export function backboneOptions({ preprocess, size }: BackboneFlags): BackboneOptions {
  return { preprocess, ...(size && { overrides: { size } }) };
}
