/** Text files of others: decoded strictly, so that no name is read that was never written. */
import { readFile } from 'node:fs/promises';
import { TextDecoder } from 'node:util';
import { UserError } from './errors.js';
import { fileError } from './files.js';

/**
 * The text of a file: UTF-8 with or without a byte order mark, UTF-16 with one, or another encoding by name.
 * @param encoding a name of the WHATWG list: windows-1252, iso-8859-15, shift_jis
 * @throws UserError naming line and byte of what is not in the encoding
 */
export async function readTextFile(path: string, encoding?: string): Promise<string> {
  const bytes = await readFile(path).catch((error) => {
    throw fileError(error, path);
  });
  return decodeText(bytes, path, encoding);
}

export function decodeText(bytes: Uint8Array, path: string, encoding?: string): string {
  const name = encoding ?? markedEncoding(bytes);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(name, { fatal: true });
  } catch {
    throw new UserError(
      `there is no encoding '${name}'; usual ones: utf-8, windows-1252, utf-16le, shift_jis, gb18030`,
    );
  }
  try {
    return decoder.decode(bytes);
  } catch {
    const at = firstWrong(bytes, name);
    const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).length + 1;
    const found = bytes[at] === undefined ? '' : ` (0x${(bytes[at] as number).toString(16).padStart(2, '0')})`;
    throw new UserError(
      `${path} line ${line}: byte ${at + 1}${found} is not ${name.toUpperCase()}: save the file as UTF-8, or name its encoding with --encoding (windows-1252, for example)`,
    );
  }
}

function markedEncoding(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
}

/** Position of the first byte that does not belong: the longest beginning that decodes ends before it. */
function firstWrong(bytes: Uint8Array, name: string): number {
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      // A beginning may end within a character.
      new TextDecoder(name, { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
  }
  return low;
}
