/** Rooms depend downwards only, and know each other by their doors (index.ts). */
const rooms = ['base', 'ir', 'engine', 'graph', 'data', 'features', 'probe', 'transfer', 'study', 'report', 'cli'];
/** stats rests on base alone; every room from data upwards may use it. */
const above = (room) => rooms.slice(rooms.indexOf(room) + 1);

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    ...rooms
      .filter((room) => room !== 'cli')
      .map((room) => ({
        name: `${room}-points-down`,
        severity: 'error',
        from: { path: `^src/${room}/` },
        to: { path: above(room).map((r) => `^src/${r}/`) },
      })),
    {
      name: 'stats-on-base-only',
      severity: 'error',
      from: { path: '^src/stats/' },
      to: { path: '^src/', pathNot: ['^src/stats/', '^src/base/'] },
    },
    ...[...rooms, 'stats'].map((room) => ({
      name: `${room}-by-its-door`,
      severity: 'error',
      from: { pathNot: `^src/${room}/` },
      to: { path: `^src/${room}/`, pathNot: [`^src/${room}/index\\.ts$`, `^src/${room}/[a-z0-9-]+/index\\.ts$`] },
    })),
    { name: 'no-orphan-packages', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
