/**
 * What every command prints, and how every command ends: the contract. With --json one document goes to stdout, of an
 * error too; everything else that is not a result goes to stderr. Exit codes: 0 done, 1 the work failed, 2 the request
 * was wrong. This file loads with every command, so it depends on little.
 */
import { CommanderError } from 'commander';
import { messageOf, printable, printableJson, terminalColumns, UserError, WorkError, wrapLine } from '../base/index.js';

let json = false;
let printed = false;
let listener: () => void = () => undefined;

/** @param listen is called when the JSON document is out */
export function onPrinted(listen: () => void): void {
  listener = listen;
}

/** @param asJson whether the caller reads stdout as JSON */
export function startOutput(asJson: boolean): void {
  json = asJson;
  printed = false;
}

/** Prints the one JSON document on stdout. */
export function printJson(value: unknown): void {
  printed = true;
  process.stdout.write(`${printableJson(value)}\n`);
  listener();
}

/** Prints a result for people on stdout, broken between words where that is a terminal. */
export function printText(lines: readonly string[]): void {
  process.stdout.write(`${fitted(lines.join('\n'), terminalColumns())}\n`);
}

/** A message on stderr. */
export function note(line: string): void {
  const text = fitted(line, terminalColumns(process.stderr));
  process.stderr.write(`${coloured(text)}\n`);
}

const fitted = (text: string, columns: number) =>
  printable(text)
    .split('\n')
    .flatMap((line) => wrapLine(line, columns))
    .join('\n');

/** What must not be overlooked is in colour: the first word of errors and warnings, and nothing else. */
const colours: Readonly<Record<string, number>> = { 'toehold:': 31, 'warning:': 33 };

function coloured(text: string): string {
  const plain = !process.stderr.isTTY || process.env.NO_COLOR !== undefined || process.env.TERM === 'dumb';
  const [word = ''] = /^\S+/.exec(text) ?? [];
  const code = colours[word];
  return plain || code === undefined ? text : `\x1b[${code}m${word}\x1b[39m${text.slice(word.length)}`;
}

/** Who has to mend it: the user the request, the user the circumstances, we the program. */
type Kind = 'request' | 'work' | 'fault';

const exitCodes: Readonly<Record<Kind, number>> = { request: 2, work: 1, fault: 1 };

function kindOf(error: unknown): Kind {
  if (error instanceof UserError || error instanceof CommanderError) return 'request';
  return error instanceof WorkError ? 'work' : 'fault';
}

/** What Commander says of a wrong command line, as one sentence that leads on. */
function requestMessage({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'give a command; toehold --help lists them';
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/ is invalid\. (.*)\.$/, ' is invalid: $1')
    .replace(/\. Expected (\d+) arguments? but got (\d+)\.$/, ': it takes $1, and $2 are given');
  if (text.includes('Did you mean')) return text;
  if (code === 'commander.unknownCommand') return `${text}; toehold --help lists the commands`;
  return code === 'commander.unknownOption' ? `${text}; --help lists the options` : text;
}

/**
 * Says what went wrong and sets the exit code. Who reads JSON gets {error: {kind, message}}, unless the command has printed
 * its document already.
 */
export function fail(error: unknown): void {
  const kind = kindOf(error);
  const message = error instanceof CommanderError ? requestMessage(error) : messageOf(error);
  if (json && !printed) printJson({ error: { kind, message } });
  note(`toehold: ${message}`);
  if (kind === 'fault') {
    note('This is a fault of toehold itself. Please report it, with what TOEHOLD_TRACE=1 adds when you run it again.');
    if (process.env.TOEHOLD_TRACE && error instanceof Error) note(String(error.stack));
  }
  process.exitCode = exitCodes[kind];
}

/** What was typed, for the page. */
export function commandLine(): string {
  return ['toehold', ...process.argv.slice(2)].map((a) => (/^[\w@%+=:,./-]+$/.test(a) ? a : `'${a}'`)).join(' ');
}
