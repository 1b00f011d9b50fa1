/** Tables of text with named columns: CSV, TSV, JSON lines. */
import { parseCsvRows, readTextFile, UserError } from '../../base/index.js';

export interface TableRow {
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
}

export const tableEndings = ['.csv', '.tsv', '.jsonl', '.ndjson'] as const;

export const isTable = (path: string) => tableEndings.some((ending) => path.toLowerCase().endsWith(ending));

/** @throws UserError naming the line that does not fit */
export async function readTable(path: string, encoding?: string): Promise<Table> {
  const text = await readTextFile(path, encoding);
  return /\.(jsonl|ndjson)$/i.test(path) ? jsonLines(text, path) : csvTable(text, path);
}

function csvTable(text: string, path: string): Table {
  const tabs = path.toLowerCase().endsWith('.tsv');
  const [header, ...rows] = parseCsvRows(text, path, ...(tabs ? ['\t'] : []));
  const columns = header?.cells ?? [];
  const repeated = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i);
  if (repeated !== undefined) throw new UserError(`${path} has two columns '${repeated}'; rename one`);
  return {
    columns,
    rows: rows.map(({ line, cells }) => {
      if (cells.length !== columns.length) {
        throw new UserError(
          `${path} line ${line}: ${cells.length} cells do not fit the header; put quotes around cells that hold commas`,
        );
      }
      return { line, cells: Object.fromEntries(columns.map((name, i) => [name, cells[i] as string])) };
    }),
  };
}

function jsonLines(text: string, path: string): Table {
  const columns = new Set<string>();
  const rows = text.split('\n').flatMap((own, i): TableRow[] => {
    if (own.trim() === '') return [];
    let value: unknown;
    try {
      value = JSON.parse(own);
    } catch {
      throw new UserError(`${path} line ${i + 1}: this is not JSON; each line holds one object`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new UserError(`${path} line ${i + 1}: this is no JSON object; each line holds one`);
    }
    const cells = Object.fromEntries(Object.entries(value).map(([name, cell]) => [name, cellText(cell)]));
    for (const name of Object.keys(cells)) columns.add(name);
    return [{ line: i + 1, cells }];
  });
  return { columns: [...columns], rows };
}

/** Lists and objects stay JSON. */
function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell.trim() : typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}
