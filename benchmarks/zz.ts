import { buildStep } from './train-step-work.js';

async function main() {
  for (const name of (process.argv[2] ?? 'resnet20').split(','))
    for (const o of [{}, { engine: 'tfjs', device: 'wasm' }] as any) {
      const { engine, graph, feeds } = await buildStep(name, 1, o);
      const program = await engine.compile(graph, { planMemory: false });
      await program.run(feeds);
      let best = 1e9;
      for (let i = 0; i < 2; i++) {
        const t = performance.now();
        await program.run(feeds);
        best = Math.min(best, performance.now() - t);
      }
      console.log(name, engine.name, best.toFixed(0), 'ms');
      if (o.engine) {
        const { stats } = (await import('../src/engine/tfjs/device.js')) as any;
        if (stats) {
          stats.clear();
          await program.run(feeds);
          console.log(
            [...stats]
              .sort((a: any, b: any) => b[1][0] - a[1][0])
              .slice(0, 14)
              .map(([k, [t, n]]: any) => `${k} ${t.toFixed(0)}ms x${n}`)
              .join('; '),
          );
        }
      }
    }
}
main();
