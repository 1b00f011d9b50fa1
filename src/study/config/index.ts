/** Configs of studies: schema, budgets, reading and checking. */
export * from './budgets.js';
export * from './load.js';
export * from './schema.js';
