#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node from its own sources against the TensorFlow C library that a tensorflow-cpu Python wheel
# carries, since the archive that it would download is not to be had everywhere. Into a folder of its own, never into
# node_modules; what is there and loads is kept. Needs npm, python3 with pip, and a C++ compiler.
#
# usage: scripts/build-tfjs-node.sh [FOLDER]      then: TOEHOLD_TFJS_NODE=FOLDER toehold doctor
set -euo pipefail

version=4.22.0
tensorflow=2.15.1
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/toehold/tfjs-node-$version-node$(node -p process.versions.modules)}
package=$folder/node_modules/@tensorflow/tfjs-node

loads() {
  (cd "$folder" && TF_CPP_MIN_LOG_LEVEL=2 node -e "
    const util = require('util');
    util.isNullOrUndefined ??= (v) => v === null || v === undefined;
    util.isArray ??= Array.isArray;
    const tf = require('@tensorflow/tfjs-node');
    if (tf.matMul([[2]], [[3]]).dataSync()[0] !== 6) process.exit(1);
  ") > /dev/null 2>&1
}

if [ -d "$package" ] && loads; then
  echo "$folder"
  exit 0
fi

for tool in npm python3 c++; do
  command -v "$tool" > /dev/null || { echo "build-tfjs-node: $tool is not here; install it, or do without this engine" >&2; exit 3; }
done
python3 -m pip --version > /dev/null 2>&1 || { echo 'build-tfjs-node: python3 has no pip; install it, or do without this engine' >&2; exit 3; }

# The headers of this very Node: beside it, or where distributions put them.
prefix=$(node -p "require('path').dirname(require('path').dirname(process.execPath))")
[ -f "$prefix/include/node/node_api.h" ] || { echo "build-tfjs-node: Node's headers are not in $prefix/include/node; install them (nodejs-dev), or a Node that has them" >&2; exit 3; }

mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install "@tensorflow/tfjs-node@$version" --ignore-scripts --no-audit --no-fund >&2

wheel=$folder/wheel
if ! ls "$wheel"/*.whl > /dev/null 2>&1; then
  python3 -m pip download --no-deps --quiet --dest "$wheel" "tensorflow-cpu==$tensorflow" >&2 ||
    { echo "build-tfjs-node: pip has no tensorflow-cpu $tensorflow for this Python; try one of 3.9 to 3.11" >&2; exit 3; }
fi
deps=$package/deps
mkdir -p "$deps/lib"
python3 - "$wheel" "$deps" << 'PY' >&2
import glob, os, sys, zipfile

wheel, deps = sys.argv[1:]
with zipfile.ZipFile(glob.glob(f'{wheel}/*.whl')[0]) as archive:
    for name in archive.namelist():
        if name.startswith('tensorflow/include/'):
            target = os.path.join(deps, name[len('tensorflow/'):])
        elif name in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            target = os.path.join(deps, 'lib', os.path.basename(name))
        else:
            continue
        if name.endswith('/'):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(name) as source, open(target, 'wb') as out:
            while piece := source.read(1 << 20):
                out.write(piece)
PY
(
  cd "$deps/lib"
  # The last keeps a later `npm rebuild` from emptying this folder.
  for name in libtensorflow.so libtensorflow.so.2 libtensorflow.so.2.9.1; do ln -sf libtensorflow_cc.so.2 "$name"; done
  ln -sf libtensorflow_framework.so.2 libtensorflow_framework.so
)
# Its own tool sets variables that node-gyp alone does not.
(cd "$package" && npm_config_nodedir=$prefix npx --no-install node-pre-gyp install --build-from-source) > "$folder/build.log" 2>&1 ||
  { tail -20 "$folder/build.log" >&2; echo "build-tfjs-node: the build failed; all of it is in $folder/build.log" >&2; exit 1; }

loads || { echo "build-tfjs-node: it was built and does not load: node -e \"require('$package')\" says why" >&2; exit 1; }
rm -rf "$wheel"
echo "$folder"
