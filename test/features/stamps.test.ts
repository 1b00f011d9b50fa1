/** Images of a container are hashed once, as long as its size and time of change stay. */
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256 } from '../../src/base/index.js';
import { imagePart } from '../../src/data/image.js';
import { imageHashes } from '../../src/features/request.js';
import { temporaryFolder } from '../support/tiny.js';

test('parts of a file go by the size and time of the file', async () => {
  const folder = temporaryFolder();
  const [container, stamps] = [join(folder, 'x.tar'), join(folder, '.stamps.json')];
  const images = [imagePart('x.tar/a', container, 0, 3), imagePart('x.tar/b', container, 3, 3)];
  const write = (text: string, seconds: number) => {
    writeFileSync(container, text);
    utimesSync(container, seconds, seconds);
  };
  write('onetwo', 1000);
  const first = await imageHashes(images, stamps);
  expect(first).toEqual(['one', 'two'].map((text) => sha256(text)));
  // Equal size and time: nothing is read, which shows by bytes that nobody noticed.
  write('sixten', 1000);
  expect(await imageHashes(images, stamps)).toEqual(first);
  write('sixten', 2000);
  expect(await imageHashes(images, stamps)).toEqual(['six', 'ten'].map((text) => sha256(text)));
  rmSync(container);
  await expect(imageHashes(images, stamps)).rejects.toThrow('x.tar is listed but not there');
  rmSync(folder, { recursive: true });
});
