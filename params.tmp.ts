import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { createOnnxRuntime } from '/tmp/w/wt/mean15/src/engine/index.js';
import { loadBackbone, tapsOf } from '/tmp/w/wt/mean15/src/features/index.js';
import { allParameters, isLearned, sizeOf } from '/tmp/w/wt/mean15/src/graph/index.js';
const engine = await createOnnxRuntime({ threads: 1 } as never);
const only = process.argv.slice(2);
for (const f of readdirSync('/tmp/w/nets')) {
  if (only.length && !only.some((o) => f.includes(o))) continue;
  const dir = `/tmp/w/nets/${f}`;
  if (!existsSync(`${dir}/info.json`)) continue;
  const info = JSON.parse(readFileSync(`${dir}/info.json`, 'utf8'));
  if (!info.exported) { console.log(f, 'not exported'); continue; }
  try {
    const b = await loadBackbone(`${dir}/model.onnx`, engine, { preprocess: 'imagenet', overrides: { size: info.size } });
    const raw = allParameters(b.graph).filter(isLearned).reduce((n, p) => n + sizeOf(p.dims), 0);
    const { taps } = await tapsOf(b, engine);
    const std = taps.filter((t) => t.standard);
    const params = Math.max(...taps.map((t) => t.params)), macs = Math.max(...taps.map((t) => t.macs));
    const pre = new Set(std.map((t) => t.alias.split('.').slice(0, t.alias.startsWith('s') ? 2 : 1).join('.')).filter((x) => /^(s\d+\.b|block)/.test(x)));
    const odd = taps.filter((t) => t.kind === 'unknown').length;
    console.log(f.padEnd(48), 'params', ((params / info.parameters - 1) * 100).toFixed(2), 'raw', ((raw / info.parameters - 1) * 100).toFixed(2), 'macs', ((macs / info.multiplyAdds - 1) * 100).toFixed(2), 'blocks', pre.size, 'taps', std.length, 'unknown', odd, [...new Set(std.map((t) => t.layout.axes))].join(' '), 'prefix', [...new Set(std.filter((t) => t.kind === 'tokens').map((t) => `${t.layout.prefix}+${t.layout.grid}`))].join(' '), std.some((t) => t.alias === 'features') ? '' : 'NO FEATURES', std.some((t) => t.alias === 'logits') ? '' : 'NO LOGITS');
  } catch (e) { console.log(f.padEnd(48), 'ERROR', (e as Error).message.slice(0, 300)); }
}
