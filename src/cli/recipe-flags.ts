/** Flags of probes that follow a paper's recipe: Head2Toe's own, attentive fusion, efficient probing, LOES. */
import { type Command, Option } from 'commander';
import {
  faithfulDefaults,
  fusionGrids,
  type LoesTerms,
  loesTerms,
  type ProbeOptions,
  probeDefaults,
} from '../probe/index.js';
import { number, wholeNumber } from './flags.js';

export interface RecipeFlags {
  faithful?: boolean;
  steps: number[];
  lr: number[];
  recipeLambda: number[];
  renormalise: boolean;
  fusionGrid: keyof typeof fusionGrids;
  fusionSeeds: number;
  fusionJitter: number;
  loesTerms: LoesTerms;
  queries: number[];
}

/** Numbers with commas between them. */
export function list(text: string): number[] {
  return text.split(',').map(number);
}

export function addRecipeFlags(command: Command): void {
  command
    .option('--faithful', "add head2toe-faithful: Head2Toe by its authors' own recipe (Adam)")
    .option('--steps <list>', 'steps that the recipe tries', list, [...faithfulDefaults.steps])
    .option('--lr <list>', 'learning rates that the recipe tries', list, [...faithfulDefaults.learningRates])
    .option('--recipe-lambda <list>', 'group-lasso coefficients that the recipe tries', list, [
      ...faithfulDefaults.lambdas,
    ])
    .addOption(
      new Option(
        '--fusion-grid <which>',
        "settings that attentive-fusion tries: eight of its paper's 63, or all; --class-weight balanced for the paper's loss and score",
      )
        .choices(Object.keys(fusionGrids))
        .default('compact'),
    )
    .option('--fusion-seeds <n>', 'seeds from which its chosen setting is validated', wholeNumber, 1)
    .option(
      '--fusion-jitter <s>',
      'standard deviation of the noise that it trains under; 0: none',
      number,
      fusionGrids.compact.jitter,
    )
    .option('--queries <list>', 'queries that efficient-probing tries; 1 is attentive pooling', list, [
      ...probeDefaults.efficient.queries,
    ])
    .addOption(
      new Option(
        '--loes-terms <which>',
        'terms of the score by which loes chooses layers: as published, or each by its own scale',
      )
        .choices(loesTerms)
        .default(probeDefaults.loes),
    )
    .option('--no-renormalise', 'keep the values that the recipe selected by, as head2toe does');
}

/** What the flags ask of the methods. */
export function recipeOptions(flags: RecipeFlags) {
  return {
    faithful: {
      steps: flags.steps,
      learningRates: flags.lr,
      lambdas: flags.recipeLambda,
      renormalise: flags.renormalise,
    },
    fusion: { ...fusionGrids[flags.fusionGrid], seeds: flags.fusionSeeds, jitter: flags.fusionJitter },
    efficient: { ...probeDefaults.efficient, queries: flags.queries },
    loes: flags.loesTerms,
  } satisfies Partial<ProbeOptions>;
}
