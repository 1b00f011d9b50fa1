/** A store as one matrix, read back by other readers than the writers' own. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeNpy, parseCsvRows, UserError } from '../../src/base/index.js';
import {
  columnsOf,
  openStore,
  readNpyData,
  readNpyHeader,
  type StoreMeta,
  tableFormats,
  tableOf,
} from '../../src/features/index.js';
import { encodeMat } from '../../src/features/table/mat.js';
import { readSafetensors } from '../support/safetensors.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold table '));
});
afterEach(() => rmSync(root, { recursive: true }));

const splits = { train: ['a.png', 'b.png', 'c.png'], test: ['d.png', 'e.png'] } as const;
type Split = keyof typeof splits;
const base = { kind: 'map', op: 'Relu', shape: [2, 4, 4], depth: 0.5, params: 1, macs: 1, constant: [] } as const;
const taps = [
  {
    ...base,
    name: '/s1',
    alias: 's1',
    features: 2,
    pieces: [{ pool: 'gap', channels: 2, prefix: 0, grid: [1, 1], features: 2 }],
  },
  {
    ...base,
    name: '/b1',
    alias: 'b1',
    features: 6,
    pieces: [{ pool: 'target:6', channels: 2, prefix: 1, grid: [1, 2], features: 6 }],
  },
] as const;
/** Feature j of image i of all. */
const value = (i: number, j: number) => i + j / 16;
const names = [
  's1/gap[0,0,0]',
  's1/gap[1,0,0]',
  ...[0, 1].flatMap((c) => [`b1/target:6[${c},-1,0]`, `b1/target:6[${c},0,0]`, `b1/target:6[${c},0,1]`]),
];

/** A store of two taps; test has no labels. */
async function store() {
  let before = 0;
  for (const [split, files] of Object.entries(splits)) {
    let first = 0;
    for (const { alias, features } of taps) {
      const data = Float32Array.from({ length: features * files.length }, (_, at) =>
        value(before + (at % files.length), first + Math.floor(at / files.length)),
      );
      mkdirSync(join(root, split), { recursive: true });
      writeFileSync(join(root, split, `${alias}.npy`), encodeNpy('<f4', [files.length, features], data, true));
      first += features;
    }
    before += files.length;
  }
  const meta: StoreMeta = {
    toehold: 1,
    key: 'k',
    model: { name: 'net', path: 'net.onnx', sha256: '', inputs: [], params: 1, macs: 1 },
    preprocess: { size: [4, 4] },
    pool: 'gap,target:6',
    engine: { name: 'e', device: 'cpu', batch: 1 },
    data: { root: '', sha256: '', warnings: [] },
    classes: ['cat', 'dög'],
    splits: {
      train: { n: 3, labels: [1, 0, 1], files: [...splits.train], groups: ['p', 'q', 'p'], hashes: ['', '', ''] },
      test: { n: 2, files: [...splits.test], hashes: ['', ''] },
    },
    taps: taps.map((tap) => ({
      ...tap,
      shape: [...tap.shape],
      constant: [],
      pieces: tap.pieces.map((p) => ({ ...p, grid: [...p.grid] as [number, number] })),
      file: { train: `train/${tap.alias}.npy`, test: `test/${tap.alias}.npy` },
    })),
    dropped: [],
    skipped: [],
  };
  writeFileSync(join(root, 'meta.json'), JSON.stringify(meta));
  return openStore(root);
}

async function write(format: string, only?: readonly Split[]): Promise<string> {
  const path = join(root, `out/x.${format}`);
  mkdirSync(dirname(path), { recursive: true });
  await tableFormats[format]?.write(tableOf(await store(), only), path);
  return path;
}
const files = [...splits.train, ...splits.test];
const labels = [1, 0, 1, -1, -1];

test('features are named by tap, pooling, channel, row and column; a token apart has row -1', () => {
  expect(
    taps
      .flatMap((tap) =>
        columnsOf({ ...tap, pieces: tap.pieces.map((p) => ({ ...p, grid: [...p.grid] as [number, number] })) }),
      )
      .map((c) => c.name),
  ).toEqual(names);
});

describe('written as', () => {
  test('npy: one matrix in Fortran order, with its rows and columns beside it', async () => {
    const path = await write('npy');
    const header = readNpyHeader(path);
    expect(header).toMatchObject({ dtype: '<f4', shape: [5, 8], fortranOrder: true });
    expect([...readNpyData(path, header)]).toEqual(names.flatMap((_, j) => files.map((_, i) => value(i, j))));
    const table = (name: string) =>
      parseCsvRows(readFileSync(join(root, 'out', name), 'utf8'), name).map((r) => r.cells);
    expect(table('x.columns.csv')[3]).toEqual(['b1/target:6[0,-1,0]', 'b1', 'target:6', '0', '-1', '0']);
    expect(table('x.rows.csv').slice(1)).toEqual([
      ['train', 'a.png', '1', 'dög', 'p'],
      ['train', 'b.png', '0', 'cat', 'q'],
      ['train', 'c.png', '1', 'dög', 'p'],
      ['test', 'd.png', '-1', '', ''],
      ['test', 'e.png', '-1', '', ''],
    ]);
  });

  test('Parquet: a column a feature', async () => {
    const bytes = readFileSync(await write('parquet'));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    const rows = await parquetReadObjects({ file });
    expect(Object.keys(rows[0] ?? {})).toEqual(['split', 'file', 'label', 'class', 'group', ...names]);
    expect(rows.map((r) => [r.file, r.label])).toEqual(files.map((f, i) => [f, labels[i]]));
    expect(rows.map((r) => names.map((name) => r[name]))).toEqual(
      files.map((_, i) => names.map((_, j) => value(i, j))),
    );
    const note = parquetMetadata(file).key_value_metadata?.find(({ key }) => key === 'toehold');
    expect(JSON.parse(note?.value ?? '')).toEqual({ classes: ['cat', 'dög'] });
  });

  test('safetensors: rows first', async () => {
    const path = await write('safetensors');
    const tensors = readSafetensors(path);
    expect(tensors.get('features')?.dims).toEqual([5, 8]);
    expect([...(tensors.get('features')?.data as Float32Array)]).toEqual(
      files.flatMap((_, i) => names.map((_, j) => value(i, j))),
    );
    expect([...(tensors.get('labels')?.data as Int32Array)]).toEqual(labels);
    const header = JSON.parse(
      readFileSync(path)
        .subarray(8, 8 + readFileSync(path).readUInt32LE(0))
        .toString(),
    );
    expect(JSON.parse(header.__metadata__.names)).toEqual(names);
  });

  test('MATLAB: the bytes that scipy writes', async () => {
    const ours = encodeMat({
      features: { kind: 'single', shape: [3, 2], data: Float32Array.of(0, 0.5, 1, 0.25, 0.75, 1.25) },
      labels: { kind: 'int32', shape: [3, 1], data: Int32Array.of(0, 2, -1) },
      y: { kind: 'int32', shape: [1, 1], data: Int32Array.of(7) },
      names: { kind: 'text', data: ['a', 's1/gap[0,0,0]', 'Zürich'] },
    });
    const theirs = readFileSync(join(import.meta.dirname, '../fixtures/data/scipy.mat'));
    // What comes before names the program and the time.
    expect(Buffer.from(ours).subarray(124).equals(theirs.subarray(124))).toBe(true);
    const written = readFileSync(await write('mat'));
    const matrix = new Float32Array(names.flatMap((_, j) => files.map((_, i) => value(i, j))));
    expect(written.includes(Buffer.from(matrix.buffer))).toBe(true);
    for (const name of names) expect(written.includes(name), name).toBe(true);
  });

  test('some splits alone; one that is not there is named', async () => {
    expect(readNpyHeader(await write('npy', ['test'])).shape).toEqual([2, 8]);
    const opened = await store();
    expect(() => tableOf(opened, ['val'])).toThrow(UserError);
    expect(() => tableOf(opened, ['val'])).toThrow("has no split 'val'; it has train, test");
  });
});
