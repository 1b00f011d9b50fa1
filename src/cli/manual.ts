/** The man page, from the commands themselves: toehold help man | man -l - */
import type { Command } from 'commander';
import { packageVersion } from '../base/index.js';

/** Text that roff prints as it is. */
const plain = (text: string) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replace(/^([.'])/gm, '\\&$1');

/** @param examples command lines by command */
export function manual(commands: readonly Command[], examples: Readonly<Record<string, readonly string[]>>): string {
  const sections = commands.flatMap((command) => {
    const help = command.createHelp();
    const parts = [
      `.SS toehold ${plain(command.name())} ${plain(command.usage())}`,
      plain(help.commandDescription(command)),
    ];
    for (const argument of help.visibleArguments(command)) {
      parts.push('.TP', `.I ${plain(help.argumentTerm(argument))}`, plain(help.argumentDescription(argument)));
    }
    for (const option of help.visibleOptions(command)) {
      parts.push('.TP', `.B ${plain(help.optionTerm(option))}`, plain(help.optionDescription(option)));
    }
    const shown = examples[command.name()] ?? [];
    if (shown.length > 0) parts.push('.PP', 'Examples:', '.PP', '.nf', ...shown.map((e) => `    ${plain(e)}`), '.fi');
    return parts;
  });
  return `${[
    `.TH TOEHOLD 1 "" "toehold ${packageVersion()}" "User Commands"`,
    '.SH NAME',
    'toehold \\- which layers of a pretrained network already know your task',
    '.SH SYNOPSIS',
    '.B toehold',
    '.I command',
    '[options]',
    '.SH COMMANDS',
    ...sections,
    '.SH EXIT STATUS',
    '0 done; 1 the work failed; 2 the request was wrong. With \\-\\-json one document goes to standard output, of an error too.',
  ].join('\n')}\n`;
}
