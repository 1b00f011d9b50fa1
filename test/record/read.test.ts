import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError, WorkError } from '../../src/base/index.js';
import { parseRecord, readRecord, recordOf } from '../../src/record/index.js';
import { catalogue } from '../../src/study/index.js';
import { measured, record, sampleV1, task, withCell } from '../report/sample.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'record-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (name: string, value: unknown) =>
  writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
const small = record(task('a', { linear: 100, head2toe: 150 }));

describe('a record of a folder', () => {
  test('is read as it was written: the stored answer is not made anew', async () => {
    const told = { ...small, answer: { ...small.answer, headline: 'As it was.' } };
    await write('record.json', told);
    expect(await readRecord(folder)).toEqual(told);
  });
  test('version 1 is read from study.json, where there is no record.json', async () => {
    await write('study.json', sampleV1);
    expect((await readRecord(folder, catalogue)).version).toBe(2);
    await write('record.json', small);
    expect((await readRecord(folder, catalogue)).title).toBe('A test');
  });
  test.each<[string, unknown, string]>([
    ['no record', undefined, 'record.json is missing: '],
    ['a wrong field', { ...small, tasks: [{ ...small.tasks[0], domainAffinity: 'high' }] }, 'tasks.0.domainAffinity: '],
    ['an unknown field', { ...small, colour: 'red' }, 'colour'],
    ['a newer version', { ...small, version: 3 }, 'written by a newer toehold (record version 3); update toehold'],
    ['something else', { hello: 'world' }, 'run the command that wrote it again'],
    ['two tasks of one name', { ...small, tasks: [small.tasks[0], small.tasks[0]] }, 'two tasks have the same name'],
  ])('%s: one sentence that says where and what to do', async (_, value, message) => {
    if (value !== undefined) await write('record.json', value);
    const error = await readRecord(folder).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message);
    expect((error as UserError).message).toContain(folder);
  });
  test('a file that is cut off is no mistake of its reader', async () => {
    await write('record.json', '{"format": ');
    await expect(readRecord(folder)).rejects.toThrow(WorkError);
    await expect(readRecord(folder)).rejects.toThrow(
      /record\.json is not JSON: .*; run the command that wrote it again/,
    );
  });
});

describe('a record in memory', () => {
  test('gets its answer, and is one that can be read', () => {
    const made = recordOf(measured(task('a', { linear: 100, head2toe: 150 })));
    expect(made.answer.tasks[0]?.method).toBe('head2toe');
    expect(parseRecord(JSON.parse(JSON.stringify(made)), 'again')).toEqual(made);
  });
  test('absent figures are absent: NaN is refused', () => {
    const t = withCell(task('a', { linear: 100 }), 'linear', { logLoss: Number.NaN });
    expect(() => recordOf(measured(t))).toThrow('tasks.0.cells.0.logLoss');
  });
});
