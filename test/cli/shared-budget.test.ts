import { fork } from 'node:child_process';
import { expect, test } from 'vitest';
import { serve } from '../../src/cli/shared-budget.js';
import { SharedBudget } from '../../src/study/index.js';
import { nodeArguments } from '../support/cli.js';

/** Runs a process that takes from the budget. @returns what it printed */
async function child(budget: SharedBudget, how: string): Promise<string> {
  const process = fork('test/cli/budget-child.ts', [how], { execArgv: nodeArguments, silent: true });
  serve(process, budget);
  let text = '';
  process.stdout?.on('data', (data) => {
    text += data;
  });
  await new Promise((resolve) => process.on('close', resolve));
  return text;
}

test('a process takes from the budget of the one that started it, ends when it is done, and leaves nothing taken', async () => {
  const budget = new SharedBudget({ bytes: 10, cores: 4 });
  expect(await child(budget, 'modest')).toBe('first true\nsecond true\n');
  expect(await child(budget, 'greedy')).toBe('first true\nsecond false\n');
  const all = await budget.take({ bytes: 10, cores: 1 });
  expect(all).toBeDefined();
  all?.();
  // Killed with 6 taken.
  await child(budget, 'dies');
  const own = await budget.take({ bytes: 1, cores: 1 });
  expect(await budget.take({ bytes: 9, cores: 1 })).toBeDefined();
  own?.();
});
