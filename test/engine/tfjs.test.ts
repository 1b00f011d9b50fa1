import { createEngine, type EngineOptions } from '../../src/engine/index.js';
import { engineSuite } from './engine.suite.js';

engineSuite('tfjs', (options?: Partial<EngineOptions>) => createEngine({ ...options, engine: 'tfjs' }));
