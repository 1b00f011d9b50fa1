/** NumPy's .npz: an uncompressed zip archive of .npy files. */
import { crc32 } from 'node:zlib';

export function encodeNpz(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const file = Buffer.from(`${name}.npy`, 'utf8');
    const sum = crc32(data);
    // Version 2.0, stored; the date is 1980-01-01, so that equal content gives equal bytes.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(sum, 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(file.length, 22);
    parts.push(
      Buffer.from('PK\x03\x04', 'latin1'),
      common,
      file,
      Buffer.from(data.buffer, data.byteOffset, data.length),
    );
    const central = Buffer.alloc(16);
    central.writeUInt32LE(offset, 12);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, central.subarray(2), file);
    offset += 30 + file.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  const count = Object.keys(entries).length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
