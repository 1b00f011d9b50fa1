/** toehold schema: the JSON Schema of study configs, for editors. */
import type { Command } from 'commander';
import { configJsonSchema } from '../study/index.js';
import { printJson } from './output.js';

export function registerSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of study configs')
    .option('--json', 'the same: the schema is JSON')
    .action(() => printJson(configJsonSchema()));
}
