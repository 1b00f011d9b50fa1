/** Flags that say what is tested on; see data/splits.ts. */
import { type Command, InvalidArgumentError } from 'commander';
import { splitDefaults } from '../data/index.js';

export interface SplitFlags {
  holdout: number;
  testSplit?: string;
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1)) {
    throw new InvalidArgumentError('it must be a share: 0 or more and less than 1.');
  }
  return value;
}

export function addSplitFlags(command: Command): Command {
  return command
    .option(
      '--holdout <share>',
      'share of train and val that is held out as the test set where there is none; 0: none',
      share,
      splitDefaults.holdout,
    )
    .option('--test-split <name>', "split to test on, where it is not 'test'");
}
