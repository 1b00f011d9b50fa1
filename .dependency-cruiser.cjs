/** Rooms depend downwards only, and know each other by their doors (index.ts). */
const rooms = [
  'base',
  'hub',
  'stats',
  'record',
  'ir',
  'engine',
  'solver',
  'graph',
  'data',
  'features',
  'transfer',
  'probe',
  'library',
  'study',
  'report',
  'cli',
];
/** Rooms that rest on fewer others than lie below them. */
const restsOn = {
  hub: ['base'],
  stats: ['base'],
  record: ['base', 'stats'],
  ir: ['base'],
  engine: ['base', 'ir'],
  solver: ['base', 'ir', 'engine'],
  graph: ['base', 'ir', 'engine'],
  report: ['base', 'stats', 'record'],
};
const above = (room) => rooms.slice(rooms.indexOf(room) + 1);

module.exports = {
  forbidden: [
    // Circles of types alone are errors too.
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...rooms
      .filter((room) => room !== 'cli')
      .map((room) => ({
        name: `${room}-points-down`,
        severity: 'error',
        from: { path: `^src/${room}/` },
        to: { path: above(room).map((r) => `^src/${r}/`) },
      })),
    ...Object.entries(restsOn).map(([room, below]) => ({
      name: `${room}-rests-on-${below.join('-')}`,
      severity: 'error',
      from: { path: `^src/${room}/` },
      to: { path: '^src/', pathNot: [room, ...below].map((r) => `^src/${r}/`) },
    })),
    ...rooms.map((room) => ({
      name: `${room}-by-its-door`,
      severity: 'error',
      from: { pathNot: `^src/${room}/` },
      to: { path: `^src/${room}/`, pathNot: [`^src/${room}/index\\.ts$`, `^src/${room}/[a-z0-9-]+/index\\.ts$`] },
    })),
    {
      name: 'onnxruntime-in-its-engine',
      comment: 'what loads it elsewhere would load it before its telemetry is off',
      severity: 'error',
      from: { pathNot: '^src/engine/onnxruntime/' },
      to: { path: 'node_modules/onnxruntime-' },
    },
    { name: 'no-orphan-packages', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
