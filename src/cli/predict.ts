/** toehold predict head.onnx IMAGES...: classes and probabilities of image files. */
import type { Command } from 'commander';
import { textTable } from '../base/index.js';
import { predictImages } from '../probe/index.js';
import { addEngineFlags, createEngine, type EngineFlags, positiveNumber } from './flags.js';
import { printJson, printText } from './output.js';

interface PredictFlags extends EngineFlags {
  top: number;
  json?: boolean;
}

export function registerPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('classify images with an exported head')
    .argument('<head>', 'ONNX file that toehold export wrote')
    .argument('<images...>', 'image files')
    .option('--top <n>', 'classes to show per image', positiveNumber, 3)
    .option('--json', 'print one JSON document');
  addEngineFlags(command).action(async (head: string, images: string[], flags: PredictFlags) => {
    const engine = await createEngine(flags);
    const predictions = [];
    for await (const prediction of predictImages(engine, head, images)) {
      predictions.push({ ...prediction, ranking: prediction.ranking.slice(0, flags.top) });
    }
    if (flags.json) {
      printJson({ predictions });
      return;
    }
    const shown = Math.min(flags.top, predictions[0]?.ranking.length ?? 0);
    const columns = Array.from({ length: shown }, (_, i) => [`class ${i + 1}`, 'p']).flat();
    const rows = predictions.map(({ file, ranking }) => [
      file,
      ...ranking.flatMap((r) => [r.class, r.probability.toFixed(3)]),
    ]);
    printText(textTable(['image', ...columns], rows));
  });
}
