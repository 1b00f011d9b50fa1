/** Image formats, recognised by content: a decoder sees nothing but what is named here. */

export type ImageFormat = 'JPEG' | 'PNG' | 'WebP' | 'TIFF' | 'GIF';

/** Bytes from the start of a file that tell its format. */
export const headLength = 16;

const beginnings: readonly (readonly [ImageFormat, string])[] = [
  ['JPEG', '\xff\xd8\xff'],
  ['PNG', '\x89PNG\r\n\x1a\n'],
  ['TIFF', 'II*\0'],
  ['TIFF', 'MM\0*'],
  // BigTIFF.
  ['TIFF', 'II+\0'],
  ['TIFF', 'MM\0+'],
  ['GIF', 'GIF87a'],
  ['GIF', 'GIF89a'],
];

/** The format of a file that begins with these bytes; undefined for every other one, images of other formats included. */
export function formatOf(head: Uint8Array): ImageFormat | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, headLength)).toString('latin1');
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'WebP';
  return beginnings.find(([, beginning]) => text.startsWith(beginning))?.[0];
}

/** Usual endings of the formats that are read. Whether a file keeps what its ending says shows when it is decoded. */
export const imageEndings = new Set(['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp', '.tif', '.tiff', '.gif']);

export const formatNames = 'JPEG, PNG, WebP, TIFF and GIF';
