import { createOnnxRuntime } from '../../src/engine/index.js';
import { engineSuite } from './engine.suite.js';

engineSuite('onnxruntime', createOnnxRuntime, {
  missingDevice:
    process.platform === 'win32'
      ? { device: 'coreml', message: /'coreml' is not available here: .*macOS.*--device cpu/ }
      : { device: 'dml', message: /'dml' is not available here: .*Windows.*--device cpu/ },
});
