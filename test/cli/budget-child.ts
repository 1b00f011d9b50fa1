/** Takes 6 of the budget and holds it; then, when it is told so, tries for 3 more and prints whether it got them. */
import { budgetOfParent } from '../../src/cli/shared-budget.js';

const budget = budgetOfParent();
const give = await budget.take({ bytes: 6, cores: 1 });
process.stdout.write(`first ${give !== undefined}\n`);
const more = await budget.take({ bytes: process.argv[2] === 'modest' ? 3 : 5, cores: 1 });
process.stdout.write(`second ${more !== undefined}\n`);
give?.();
more?.();
if (process.argv[2] === 'dies') {
  await budget.take({ bytes: 6, cores: 1 });
  process.kill(process.pid, 'SIGKILL');
}
