/**
 * A run folder: run.json, units/<id>/record.json and what units leave beside it. Every file appears by rename, so what
 * exists is whole; a unit without a record is not done.
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, type Lock, readJson, tryLock, WorkError, writeFileAtomic } from '../base/index.js';
import type { Json, Unit, UnitKind } from './plan.js';

/** What a finished unit leaves. */
export interface UnitRecord {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  readonly inputs: Json;
  /** Ids of the units whose results it read. */
  readonly needs: readonly string[];
  /** Of the shape that its kind says; read it by `resultOf`. */
  readonly result: Json;
  /** Wall-clock seconds of the process that did it; never computed again. */
  readonly seconds: number;
  /** ISO 8601 */
  readonly finishedAt: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** The result in a record, in the shape of its kind. @throws WorkError when it was written by another version */
export function resultOf<R>(kind: UnitKind<unknown, R>, { id, result }: UnitRecord): R {
  const parsed = kind.result.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WorkError(
    `units/${id}/record.json is not of this version (${issue?.path.join('.') || 'result'}: ${issue?.message}): delete units/${id} and run again`,
  );
}

/** Why a unit failed. */
export interface UnitFailure {
  readonly id: string;
  readonly label: string;
  readonly error: string;
  readonly stack?: string;
  /** ISO 8601 */
  readonly failedAt: string;
}

/** The folder of a run: a folder for each unit, with its record or its failure. */
export class RunFolder {
  constructor(readonly path: string) {}

  /** The path of a file in it. */
  file(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Writes a file of the folder, whole. */
  write(file: string, content: string | Uint8Array): Promise<void> {
    return writeFileAtomic({ root: this.path, file }, content);
  }

  /** The folder that belongs to a unit. */
  unit(id: string): string {
    return this.file('units', id);
  }

  /** Makes the folder where it is not there. */
  async create(): Promise<void> {
    await mkdir(this.file('units'), { recursive: true }).catch((error) => {
      throw fileError(error, this.path);
    });
  }

  /** Whether a unit is done. */
  has(id: string): boolean {
    return existsSync(this.file('units', id, 'record.json'));
  }

  /** What a unit that is done left. */
  record(id: string): Promise<UnitRecord | undefined> {
    return this.#read(id, 'record.json');
  }

  /** Why a unit failed, where it did. */
  failure(id: string): Promise<UnitFailure | undefined> {
    return this.#read(id, 'failure.json');
  }

  /** A file that only this class writes. */
  async #read<T>(id: string, file: string): Promise<T | undefined> {
    return (await readJson(join(this.unit(id), file), 'delete it and run again')) as T | undefined;
  }

  /** Writes the record of a unit that is done. */
  async writeRecord(record: UnitRecord): Promise<void> {
    await this.write(`units/${record.id}/record.json`, `${JSON.stringify(record, null, 1)}\n`);
    await rm(join(this.unit(record.id), 'failure.json'), { force: true });
  }

  /** Writes why a unit failed. */
  async writeFailure(unit: Unit, error: unknown): Promise<UnitFailure> {
    const failure: UnitFailure = {
      id: unit.id,
      label: unit.label,
      error: error instanceof Error ? error.message : String(error),
      ...(error instanceof Error && error.stack ? { stack: error.stack } : {}),
      failedAt: new Date().toISOString(),
    };
    await this.write(`units/${unit.id}/failure.json`, `${JSON.stringify(failure, null, 1)}\n`);
    return failure;
  }

  /** Takes a unit for this process; undefined where another has it. */
  lock(id: string): Promise<Lock | undefined> {
    return tryLock(join(this.unit(id), 'lock'));
  }
}
