/** toehold predict head.onnx IMAGES...: classes and probabilities of image files. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { textTable, UserError, WorkError } from '../base/index.js';
import { imagesBelow } from '../data/index.js';
import { type NoPrediction, type Prediction, predictImages, type ValuesPrediction } from '../probe/index.js';
import { addEngineFlags, addPixelFlag, createEngine, type EngineFlags, positiveNumber } from './flags.js';
import { note, printJson, printText } from './output.js';

interface PredictFlags extends EngineFlags {
  top: number;
  skipBad?: boolean;
  json?: boolean;
}

export function registerPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('classify images with an exported head, or predict their values')
    .argument('<head>', 'ONNX file that toehold export wrote')
    .argument('<images...>', 'image files, folders of them, or - for a list of files on stdin, one a line')
    .option('--top <n>', 'classes to show per image', positiveNumber, 3)
    .option('--skip-bad', 'files that are no images are listed, and no failure')
    .option('--json', 'print one JSON document');
  addPixelFlag(addEngineFlags(command)).action(async (head: string, images: string[], flags: PredictFlags) => {
    const { files, warnings } = await filesOf(images);
    for (const line of warnings) note(`warning: ${line}`);
    const engine = await createEngine(flags);
    const predictions: (Prediction | ValuesPrediction)[] = [];
    const unreadable: NoPrediction[] = [];
    for await (const found of predictImages(engine, head, files)) {
      if ('reason' in found) unreadable.push(found);
      else predictions.push('values' in found ? found : { ...found, ranking: found.ranking.slice(0, flags.top) });
    }
    const fails = unreadable.length > 0 && !flags.skipBad;
    const message = `${unreadable.length} of ${files.length} files cannot be read; --skip-bad lets that pass`;
    if (fails && predictions.length === 0) {
      // Nothing but mistakes is a mistake in the request.
      throw new UserError(`${message} (${unreadable[0]?.file}: ${unreadable[0]?.reason})`);
    }
    if (flags.json) printJson({ predictions, ...(unreadable.length > 0 ? { unreadable } : {}) });
    else if (predictions.length > 0) printText(table(predictions, flags.top));
    for (const { file, reason } of unreadable) note(`unreadable: ${file}: ${reason}`);
    if (fails) throw new WorkError(message);
  });
}

function table(all: readonly (Prediction | ValuesPrediction)[], top: number): string[] {
  const valued = all.flatMap((found) => ('values' in found ? [found] : []));
  if (valued.length > 0) {
    const names = valued[0]?.values.map(({ name }) => name) ?? [];
    return textTable(
      ['image', ...names],
      valued.map(({ file, values }) => [file, ...values.map(({ value }) => value.toPrecision(4))]),
    );
  }
  const predictions = all.flatMap((found) => ('values' in found ? [] : [found]));
  const shown = Math.min(top, predictions[0]?.ranking.length ?? 0);
  const columns = Array.from({ length: shown }, (_, i) => [`class ${i + 1}`, 'p']).flat();
  const rows = predictions.map(({ file, ranking }) => [
    file,
    ...ranking.flatMap((r) => [r.class, r.probability.toFixed(3)]),
  ]);
  return textTable(['image', ...columns], rows);
}

/** Files as they are named, every image below a folder, and what stdin lists. */
async function filesOf(given: readonly string[]): Promise<{ files: string[]; warnings: string[] }> {
  const files: string[] = [];
  const warnings: string[] = [];
  for (const name of given) {
    if (name === '-') {
      files.push(...(await text(process.stdin)).split(/\r?\n/).filter((line) => line !== ''));
      continue;
    }
    const isFolder = (await stat(name).catch(() => undefined))?.isDirectory() ?? false;
    if (!isFolder) files.push(name);
    else {
      const below = await imagesBelow(name);
      files.push(...below.files.map((file) => join(name, file)));
      warnings.push(...below.warnings.map((line) => `${name}: ${line}`));
    }
  }
  if (files.length === 0)
    throw new UserError('there are no images to classify: name files, or a folder that holds some');
  return { files, warnings };
}
