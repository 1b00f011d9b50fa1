/**
 * onnxruntime-node's install script downloads CUDA libraries of several hundred MB on Linux, and fails without a network.
 * npm from 11.16 on does not run it (allowScripts in package.json); older ones do, and take no setting for it without a
 * warning. The first thing that the script does is to load global-agent, which nothing else uses: package.json puts this
 * file in its place, and the script ends here unless somebody asked for the libraries.
 */
if (!process.env.ONNXRUNTIME_NODE_INSTALL) process.exit(0);
exports.bootstrap = () => undefined;
