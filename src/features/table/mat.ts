/**
 * MATLAB's MAT-file, level 5, uncompressed (MathWorks, MAT-File Format, chapter 1), as `scipy.io.savemat` writes it: matrices in
 * single and int32, and columns of text as cell arrays.
 */

/** A variable: columns-first numbers, or text. */
export type MatVariable =
  | { readonly kind: 'single'; readonly shape: readonly [number, number]; readonly data: Float32Array }
  | { readonly kind: 'int32'; readonly shape: readonly [number, number]; readonly data: Int32Array }
  | { readonly kind: 'text'; readonly data: readonly string[] };

const mi = { int8: 1, int32: 5, uint32: 6, single: 7, matrix: 14, utf8: 16 } as const;
const mx = { cell: 1, char: 4, single: 7, int32: 12 } as const;

export function encodeMat(variables: Readonly<Record<string, MatVariable>>): Uint8Array {
  const head = Buffer.alloc(128, ' ');
  head.write('MATLAB 5.0 MAT-file, written by toehold', 0, 'latin1');
  head.fill(0, 116, 124);
  head.writeUInt16LE(0x0100, 124);
  head.write('IM', 126, 'latin1');
  return Buffer.concat([head, ...Object.entries(variables).flatMap(([name, variable]) => matrix(name, variable))]);
}

function matrix(name: string, variable: MatVariable): Buffer[] {
  if (variable.kind === 'text') {
    const cells = variable.data.flatMap((text) => charMatrix(text));
    return wrapped([...described(mx.cell, [variable.data.length, 1], name), ...cells]);
  }
  const { kind, shape, data } = variable;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return wrapped([...described(mx[kind], shape, name), ...element(mi[kind], bytes)]);
}

/** A row of characters; sizes are of UTF-16, as MATLAB counts them. */
function charMatrix(text: string): Buffer[] {
  return wrapped([
    ...described(mx.char, [text === '' ? 0 : 1, text.length], ''),
    ...element(mi.utf8, Buffer.from(text)),
  ]);
}

/** Flags, dimensions and name. */
function described(type: number, [rows, columns]: readonly [number, number], name: string): Buffer[] {
  const flags = Buffer.alloc(8);
  flags.writeUInt32LE(type, 0);
  const dims = Buffer.alloc(8);
  dims.writeInt32LE(rows, 0);
  dims.writeInt32LE(columns, 4);
  return [...element(mi.uint32, flags), ...element(mi.int32, dims), ...element(mi.int8, Buffer.from(name, 'latin1'))];
}

function wrapped(parts: Buffer[]): Buffer[] {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(mi.matrix, 0);
  tag.writeUInt32LE(
    parts.reduce((sum, part) => sum + part.length, 0),
    4,
  );
  return [tag, ...parts];
}

/** Data with its type and size, filled to 8 bytes; up to four bytes lie within the tag. */
function element(type: number, data: Buffer): Buffer[] {
  const tag = Buffer.alloc(8);
  if (data.length > 0 && data.length <= 4) {
    tag.writeUInt16LE(type, 0);
    tag.writeUInt16LE(data.length, 2);
    data.copy(tag, 4);
    return [tag];
  }
  tag.writeUInt32LE(type, 0);
  tag.writeUInt32LE(data.length, 4);
  const fill = (8 - (data.length % 8)) % 8;
  return fill === 0 ? [tag, data] : [tag, data, Buffer.alloc(fill)];
}
