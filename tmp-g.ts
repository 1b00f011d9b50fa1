import { createEngine } from './src/engine/index.js';
import { GraphBuilder } from './src/ir/index.js';
const threads = Number(process.argv[2]);
const engine = await createEngine({ threads });
const [n, p, K] = process.argv.slice(3).map(Number) as [number, number, number];
for (const type of ['float32', 'float64'] as const) {
  const A = type === 'float32' ? Float32Array : Float64Array;
  const rand = (l: number) => { const a = new A(l); for (let i = 0; i < l; i++) a[i] = (i * 7919 % 1000) / 1000 - .5; return a; };
  const x = { type, dims: [p, n], data: rand(n * p) }, w = { type, dims: [p, K], data: rand(p * K) }, d = { type, dims: [n, K], data: rand(n * K) };
  const wt = { type, dims: [K, p], data: w.data }, dt = { type, dims: [K, n], data: d.data };
  const bench = async (name: string, build: (g: any) => void, feeds: any) => {
    const g = GraphBuilder.of(type); build(g);
    const prog = await engine.compile(g.build());
    let best = 1e9, bc = 1e9;
    for (let i = 0; i < 8; i++) { const t = performance.now(); const c = process.cpuUsage(); await prog.run(feeds); best = Math.min(best, performance.now() - t); const u = process.cpuUsage(c); bc = Math.min(bc, (u.user + u.system) / 1e3); }
    console.log(type, name, best.toFixed(1), 'ms', (2 * n * p * K / best / 1e6).toFixed(1), 'GFLOP/s wall', (2 * n * p * K / bc / 1e6).toFixed(1), 'cpu');
    await prog.dispose();
  };
  await bench('fwd transA x (n,K)', (g) => g.output(g.gemm(g.input('x'), g.input('w'), { transA: true }), 'z'), { x, w });
  await bench('fwd w\' x (K,n)', (g) => g.output(g.matmul(g.input('w'), g.input('x')), 'z'), { x, w: wt });
  await bench('adj x d (p,K)', (g) => g.output(g.matmul(g.input('x'), g.input('d')), 'z'), { x, d });
  await bench('adj x d(K,n)T', (g) => g.output(g.gemm(g.input('x'), g.input('d'), { transB: true }), 'z'), { x, d: dt });
  await bench('adj d(K,n) x T', (g) => g.output(g.gemm(g.input('d'), g.input('x'), { transB: true }), 'z'), { x, d: dt });
  await bench('fwd xt w', (g) => g.output(g.matmul(g.input('x'), g.input('w')), 'z'), { x: { ...x, dims: [n, p] }, w });
  await bench('adj d\'(K,n) xt', (g) => g.output(g.matmul(g.input('d'), g.input('x')), 'z'), { x: { ...x, dims: [n, p] }, d: dt });
}
