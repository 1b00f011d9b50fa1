/** Groups of examples that belong together (tracks, patients, authors), taken out of a column by a pattern. */
import { nearest, UserError } from '../base/index.js';
import type { Dataset, Example } from './example.js';

export interface GroupFrom {
  readonly column: string;
  /** Absent: the whole cell is the group. */
  readonly pattern?: RegExp;
}

/**
 * Parses `column:/regex/`; quotes around the pattern and slashes around it are optional, `column` alone takes the
 * whole cell. Columns are the manifest's, and `file`, `class` for every source.
 *
 * The group is the first capture group *within its class*: tracks and takes are usually counted anew in every class, so
 * equal numbers in two classes are two groups. Where the name means the same thing everywhere (a patient, an author),
 * call the capture `group`: `source:/(?<group>P\d+)_/`.
 *
 * @throws UserError when the text is not of this form
 */
export function parseGroupFrom(text: string): GroupFrom {
  const at = text.indexOf(':');
  if (at < 0) return { column: text.trim() };
  const column = text.slice(0, at).trim();
  const quoted = text.slice(at + 1).trim();
  const body = /^(['"])(.*)\1$/.exec(quoted)?.[2] ?? quoted;
  const delimited = /^\/(.+)\/([a-z]*)$/.exec(body);
  const form = "write it as column:/regex/, for example source:'/(\\d+)_'";
  if (!column || !body) throw new UserError(`group-from '${text}' lacks a ${column ? 'pattern' : 'column'}; ${form}`);
  try {
    return { column, pattern: delimited ? new RegExp(delimited[1] as string, delimited[2]) : new RegExp(body) };
  } catch (error) {
    throw new UserError(`group-from '${text}' is not a regular expression (${(error as Error).message}); ${form}`);
  }
}

/** @throws UserError when the column does not exist or a cell does not match */
export function groupExamples(dataset: Dataset, { column, pattern }: GroupFrom): Dataset {
  const known = ['file', 'class', ...new Set(dataset.examples.flatMap((e) => Object.keys(e.extra)))];
  if (!known.includes(column)) {
    const guess = nearest(column, known);
    throw new UserError(
      `group-from: there is no column '${column}'; ${guess ? `did you mean '${guess}'?` : `columns: ${known.join(', ')}`}`,
    );
  }
  const classesOf = new Map<string, Set<string>>();
  const examples = dataset.examples.map((example): Example => {
    const cell = column === 'file' ? example.file : column === 'class' ? example.class : (example.extra[column] ?? '');
    const match = pattern ? matchFrom(pattern, cell) : undefined;
    const named = pattern ? match?.groups?.group : cell;
    const name = named ?? match?.[1] ?? match?.[0];
    if (name === undefined || name === '') {
      throw new UserError(`group-from: ${column} '${cell}' of ${example.file} does not match ${pattern ?? 'any name'}`);
    }
    if (named !== undefined) return { ...example, group: name };
    const classes = classesOf.get(name) ?? new Set();
    classesOf.set(name, classes.add(example.class));
    return { ...example, group: `${example.class}/${name}` };
  });
  const shared = [...classesOf.values()].filter((classes) => classes.size > 1).length;
  const warnings = [...dataset.warnings];
  if (shared > 0) {
    const what = shared === 1 ? 'group name occurs' : 'group names occur';
    warnings.push(
      `${shared} ${what} in several classes and ${shared === 1 ? 'is' : 'are'} taken as another group in each; ` +
        'write the capture as (?<group>...) if it is the same patient, author or track everywhere',
    );
  }
  return { ...dataset, examples, warnings };
}

function matchFrom(pattern: RegExp, cell: string): RegExpExecArray | null {
  // A pattern with the flag g or y remembers where it stopped.
  pattern.lastIndex = 0;
  return pattern.exec(cell);
}
