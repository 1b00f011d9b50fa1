/** The table of docs/clusters.md, from what was measured. */
import { quantity } from '../../src/base/index.js';

export interface ScaleRow {
  readonly plan: string;
  readonly units: number;
  readonly jobs: number;
  readonly arrays: number;
  /** To pack and to submit. */
  readonly seconds: number;
  /** Of the process that submits, of these. */
  readonly processorSeconds: number;
  /** Simulated makespan over the bound that a schedule may reach, by number of nodes. */
  readonly ratios: Readonly<Record<string, number>>;
  /** And over the larger of work per node and longest chain. */
  readonly simpleRatios: Readonly<Record<string, number>>;
  /** Of a processor, to find the order of the jobs. */
  readonly searchSeconds: Readonly<Record<string, number>>;
  readonly written: number;
  readonly read: number;
}

export interface Scale {
  readonly date: string;
  readonly nodes: readonly number[];
  /** Seconds that jobs cost beside their units. */
  readonly prices: { readonly start: number; readonly look: number };
  readonly rows: readonly ScaleRow[];
}

export function scaleTable({ nodes, rows }: Scale): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const head = [
    'plan',
    'units',
    'jobs',
    'sbatch',
    'packed and submitted',
    'of these CPU',
    'search',
    ...nodes.map((n) => `${n}`),
    'written',
    'read',
  ];
  return [
    line(head),
    line(head.map(() => '---')),
    ...rows.map((row) =>
      line([
        row.plan,
        row.units,
        row.jobs,
        row.arrays,
        `${row.seconds.toFixed(1)} s`,
        `${row.processorSeconds.toFixed(1)} s`,
        `${Math.max(...Object.values(row.searchSeconds)).toFixed(1)} s`,
        ...nodes.map((n) => `${row.ratios[n]?.toFixed(2)} (${row.simpleRatios[n]?.toFixed(2)})`),
        quantity(row.written, 'B'),
        quantity(row.read, 'B'),
      ]),
    ),
  ].join('\n');
}
