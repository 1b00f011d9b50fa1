/** toehold/browser as Vite bundles it without configuration, and what it computes in a browser. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBackbone, openStore, tapsOf } from '../../src/features/index.js';
import { writeModel } from '../../src/graph/index.js';
import { exportProbe, predictImages } from '../../src/probe/index.js';
import { type ColouredRun, colouredRun } from '../probe/support/coloured.js';
import { browserTest, haveChromium, launch } from '../support/chromium.js';
import { testEngine } from '../support/run.js';

const entry = fileURLToPath(new URL('../../src/browser/index.ts', import.meta.url));
let folder: string;
let made: ColouredRun;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-browser-'));
  made = await colouredRun(folder);
  const { graph } = await exportProbe(await testEngine(), join(folder, 'out'));
  await writeFile(join(folder, 'head.onnx'), writeModel(graph));
  await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="./main.js"></script>');
  await writeFile(join(folder, 'main.js'), `import * as api from ${JSON.stringify(entry)};\nglobalThis.api = api;\n`);
  const { build } = await import('vite');
  await build({ root: folder, configFile: false, logLevel: 'silent' });
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the bundle holds no module of Node and no stand-in for one', async () => {
  const assets = join(folder, 'dist/assets');
  const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js'));
  expect(scripts.length).toBeGreaterThan(0);
  for (const name of scripts) {
    const code = await readFile(join(assets, name), 'utf8');
    // The runtime's own glue asks, at run time, whether it is in Node.
    if (name.startsWith('ort')) continue;
    const found = code.match(
      /.{0,60}(?:from ?["']node:|import ?\(?["']node:|__vite-browser-external|Buffer\.from\().{0,60}/g,
    );
    expect(found?.filter((line) => !line.includes('globalThis.process'))).toBeUndefined();
  }
});

describe('in a browser', () => {
  let browser: Browser;
  let server: Server;
  let page: Page;
  const types: Readonly<Record<string, string>> = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.mjs': 'text/javascript',
    '.wasm': 'application/wasm',
  };

  beforeAll(async () => {
    if (!haveChromium) return;
    server = createServer(async (request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
      const from = path.endsWith('.onnx') || path.endsWith('.png') ? folder : join(folder, 'dist');
      try {
        const bytes = await readFile(join(from, path === '/' ? 'index.html' : path));
        response.setHeader('content-type', types[extname(path) || '.html'] ?? 'application/octet-stream');
        response.end(bytes);
      } catch {
        response.statusCode = 404;
        response.end();
      }
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    browser = await launch();
    page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction('globalThis.api');
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });
  const files = () => made.run.task.test?.files.filter((_, i) => i % 5 === 0) ?? [];

  browserTest('a head predicts what predict does, to 1e-4', async () => {
    const predicted = await page.evaluate<{
      classes: string[];
      all: { ranking: { class: string; probability: number }[] }[];
    }>(
      `(async () => {
        const head = await api.openHead('/head.onnx', { device: 'wasm' });
        const all = [];
        for (const file of ${JSON.stringify(files())}) all.push(await head.predict(await (await fetch('/data/' + file)).blob()));
        await head.dispose();
        return { classes: head.classes, all };
      })()`,
    );
    expect(predicted.classes).toEqual(made.run.task.classes);
    const paths = files().map((file) => join(folder, 'data', file));
    let i = 0;
    for await (const own of predictImages(await testEngine(), join(folder, 'head.onnx'), paths)) {
      if (!('ranking' in own)) throw new Error('reason' in own ? own.reason : 'no classes');
      for (const { class: name, probability } of predicted.all[i]?.ranking ?? []) {
        const here = own.ranking.find((r) => r.class === name)?.probability ?? Number.NaN;
        expect(Math.abs(here - probability)).toBeLessThan(1e-4);
      }
      i++;
    }
    expect(i).toBe(files().length);
  });

  browserTest('a backbone has the taps and the features of extract', async () => {
    const engine = await testEngine();
    const { taps } = await tapsOf(await loadBackbone(join(folder, 'net.onnx'), engine), engine);
    const found = await page.evaluate<{
      taps: string[];
      features: { alias: string; features: number; values: number[] }[];
    }>(
      `(async () => {
        const backbone = await api.openBackbone('/net.onnx', { device: 'wasm', preprocess: { size: 16, mean: 0.5, std: 0.5 } });
        const images = await Promise.all(${JSON.stringify(files())}.map(async (file) => (await fetch('/data/' + file)).blob()));
        const features = await backbone.extract(images, { pool: 'gap,target:64' });
        await backbone.dispose();
        return { taps: backbone.taps.map((t) => t.alias), features: features.map((f) => ({ ...f, values: [...f.values] })) };
      })()`,
    );
    expect(found.taps).toEqual(taps.map((t) => t.alias));
    const store = await openStore(join(folder, 'store'));
    const { n, files: stored } = store.split('test');
    for (const tap of store.meta.taps) {
      const own = found.features.find((f) => f.alias === tap.alias);
      expect(own?.features, tap.alias).toBe(tap.features);
      const values = await store.read('test', tap);
      for (const [i, file] of files().entries()) {
        for (let j = 0; j < tap.features; j++) {
          const here = values[j * n + stored.indexOf(file)] as number;
          expect(Math.abs((own?.values[i * tap.features + j] as number) - here)).toBeLessThan(1e-4);
        }
      }
    }
  });

  browserTest('mistakes are sentences: no head, no image, no preset', async () => {
    const told = (code: string) =>
      page.evaluate<string>(`${code}.then(() => 'nothing', (error) => error.name + ': ' + error.message)`);
    expect(await told("api.openHead('/net.onnx')")).toMatch(/^UserError: .*was not written by toehold export/);
    expect(await told("api.openHead('/absent.onnx')")).toMatch(/^UserError: .*status 404/);
    expect(await told("api.openBackbone('/net.onnx', { preprocess: 'imgnet' })")).toMatch(
      /^UserError: .*no preprocessing preset/,
    );
  });
});
