import { createOnnxRuntime } from './src/engine/index.js';
import { loadBackbone, tapsOf } from './src/features/index.js';
const engine = await createOnnxRuntime();
const [path, size, from, to] = process.argv.slice(2);
const b = await loadBackbone(path!, engine, { preprocess: 'imagenet', overrides: { size: Number(size) } });
const { network } = await tapsOf(b, engine);
let i = 0;
for (const n of network.graph.nodes) {
  i++;
  if (i < Number(from) || i > Number(to)) continue;
  const o = n.outputs[0]!;
  console.log(i, n.op.padEnd(18), o.slice(-40).padEnd(40), network.dims(o)?.join('x').padEnd(20), network.axes.get(o)?.map((a) => a.map((d) => `${d.of.slice(0, 2)}${d.size}${d.stride > 1 || d.size !== d.extent ? `/${d.extent}@${d.stride}` : ''}`).join('.') || '1').join(' | '));
}
