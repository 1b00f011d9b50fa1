/** toehold completion SHELL: a script that completes commands, flags and the values that flags may have. */
import { Argument, type Command, Option } from 'commander';
import { printJson, printText } from './output.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes toehold in your shell')
    .addArgument(new Argument('<shell>', 'which').choices(shells))
    .option('--json', 'the script within a JSON document')
    .action((shell: Shell, { json }: { json?: boolean }) =>
      json ? printJson({ shell, script: script[shell] }) : printText([script[shell]]),
    );
}

/** An option that takes names from a list, with commas between them; others are refused where the list is read. */
export class NamesOption extends Option {
  constructor(
    flags: string,
    description: string,
    readonly names: readonly string[],
  ) {
    super(flags, description);
  }
}

/** The scripts ask toehold itself, so that they never grow old; where it offers nothing, the shell offers files. */
const script: Readonly<Record<Shell, string>> = {
  bash: `_toehold() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(toehold complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _toehold toehold`,
  zsh: `#compdef toehold
_toehold() {
  local -a found
  found=(\${(f)"$(toehold complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
compdef _toehold toehold`,
  fish: `complete -c toehold -a '(toehold complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

/**
 * What may stand where the last word is being typed.
 * @param words after 'toehold', the last one unfinished, perhaps empty
 * @param names of commands, and `load` gives the one that is being typed
 * @param topics that help explains beside the commands
 */
export async function candidates(
  words: readonly string[],
  names: readonly string[],
  load: (name: string) => Promise<Command | undefined>,
  topics: readonly string[] = [],
): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const [name] = words;
  const beginning = (all: readonly string[]) => all.filter((word) => word.startsWith(typed));
  if (words.length <= 1) return beginning(names);
  if (name === 'help')
    return words.length === 2 ? beginning([...topics, ...names.filter((own) => own !== 'help')]) : [];
  const command = name === undefined ? undefined : await load(name);
  if (!command) return [];
  const visible = command.createHelp().visibleOptions(command);
  const before = words.at(-2);
  const asked = visible.find((option) => option.long === before || option.short === before);
  if (asked instanceof NamesOption) return beginning(further(typed, asked.names));
  if (asked && (asked.required || asked.optional)) return beginning(asked.argChoices ?? []);
  if (typed.startsWith('-')) return beginning(visible.flatMap((option) => option.long ?? []));
  return beginning(command.registeredArguments.flatMap((argument) => argument.argChoices ?? []));
}

/** The list that is being typed with each of the names that it does not have yet. */
function further(typed: string, names: readonly string[]): string[] {
  const given = typed.split(',').slice(0, -1);
  return names.filter((name) => !given.includes(name)).map((name) => [...given, name].join());
}
