/** Damage to files: seeded, so that an input is known by its number. */
import type { Random } from '../../src/base/index.js';

const extremes = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 53, 1e308, -0, 65_535];
const oddTexts = [
  '',
  ' ',
  '../../x',
  '/etc/passwd',
  'NaN',
  'null',
  '__proto__',
  'constructor',
  '\u0000',
  '\ufeff',
  '\u001b[31m',
  '=1+1',
  '"',
  "'",
  '{',
  '[[[[',
  '&a [*a]',
  '🦶'.repeat(9),
  'x'.repeat(5000),
];

const pick = <T>(random: Random, from: readonly T[]): T => from[random.integer(from.length)] as T;

/** Some bytes are changed, cut, doubled, moved or put in. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let data = Buffer.from(bytes);
  for (let times = 1 + random.integer(6); times > 0; times--) {
    if (data.length === 0) return data;
    // Headers decide most, and are short.
    const reach = random.uniform() < 0.5 ? Math.min(data.length, 200) : data.length;
    const at = random.integer(reach);
    const span = 1 + random.integer(Math.min(64, data.length - at));
    switch (random.integer(9)) {
      case 0:
        data[at] = (data[at] as number) ^ (1 << random.integer(8));
        break;
      case 1:
        data[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        data = data.subarray(0, at) as typeof data;
        break;
      case 3:
        data = Buffer.concat([data.subarray(0, at), data.subarray(at + span)]);
        break;
      case 4:
        data = Buffer.concat([data.subarray(0, at + span), data.subarray(at, at + span), data.subarray(at + span)]);
        break;
      case 5:
        if (at + 4 <= data.length)
          data.writeInt32LE(
            pick(
              random,
              extremes.filter((v) => Math.abs(v) < 2 ** 31),
            ),
            at,
          );
        break;
      case 6:
        if (at + 8 <= data.length)
          data.writeBigInt64LE(
            BigInt(
              Math.trunc(
                pick(
                  random,
                  extremes.filter((v) => Math.abs(v) < 2 ** 63),
                ),
              ),
            ),
            at,
          );
        break;
      case 7:
        data = Buffer.concat([data.subarray(0, at), Buffer.from(pick(random, oddTexts)), data.subarray(at)]);
        break;
      default: {
        const from = random.integer(data.length);
        data.copy(data, at, from, Math.min(data.length, from + span));
      }
    }
  }
  return data;
}

/** One value somewhere in a tree is replaced, removed, doubled or renamed. */
export function mutateTree(value: unknown, random: Random): unknown {
  const copy = structuredClone(value);
  for (let times = 1 + random.integer(3); times > 0; times--) {
    let [node, parent, key]: [unknown, Record<string, unknown> | undefined, string] = [copy, undefined, ''];
    for (let depth = random.integer(9); depth > 0 && node !== null && typeof node === 'object'; depth--) {
      const keys = Object.keys(node);
      if (keys.length === 0) break;
      key = pick(random, keys);
      parent = node as Record<string, unknown>;
      node = parent[key];
    }
    if (!parent) continue;
    switch (random.integer(6)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else delete parent[key];
        break;
      case 1:
        parent[key] = pick(random, extremes);
        break;
      case 2:
        parent[key] = pick(random, oddTexts);
        break;
      case 3:
        parent[key] = pick<unknown>(random, [null, true, [], {}, [[]], { length: 1 }]);
        break;
      case 4:
        if (Array.isArray(node)) node.push(...structuredClone(node).slice(0, 20));
        else parent[key] = [node];
        break;
      default:
        parent[pick(random, oddTexts)] = node;
    }
  }
  return copy;
}

/** JSON text damaged in its values or in its bytes. */
export function mutateJson(value: unknown, random: Random): Uint8Array {
  if (random.uniform() < 0.75) return Buffer.from(JSON.stringify(mutateTree(value, random)) ?? 'null');
  return mutateBytes(Buffer.from(JSON.stringify(value)), random);
}
