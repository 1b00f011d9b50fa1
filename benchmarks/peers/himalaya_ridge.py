"""Banded ridge by himalaya's random search on the taps of a toehold store, at equal work or equal time with tap-ridge.

    pip install himalaya packaging scikit-learn
    toehold extract BACKBONE DATA --pool target:512 -o STORE
    python benchmarks/peers/himalaya_ridge.py STORE [--draws 20,100] [--threads 1] [--seed 0]

One-hot labels, a band per tap (each example's values of a tap to unit norm, centred on training means, each kernel divided by its
trace), weights drawn from Dirichlet distributions of concentration .1 and 1, penalties 1e-6 ... 1e3, five folds that keep groups
together, one choice for all targets. Reading features and making kernels is timed apart, as for tap-ridge. Prints one line of JSON.
"""
import argparse
import json
import os
import pathlib
import time

parser = argparse.ArgumentParser()
parser.add_argument("store", type=pathlib.Path)
parser.add_argument("--draws", default="100")
parser.add_argument("--threads", default="1")
parser.add_argument("--seed", type=int, default=0)
given = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = given.threads

import himalaya
import numpy as np
from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

meta = json.loads((given.store / "meta.json").read_text())
y, y_test = (np.array(meta["splits"][s]["labels"]) for s in ("train", "test"))
groups, classes = meta["splits"]["train"].get("groups"), int(y.max()) + 1

start = time.perf_counter()
kernels, test_kernels = [], []
for tap in meta["taps"]:
    x, x_test = (np.load(given.store / tap["file"][s]).astype(np.float64) for s in ("train", "test"))
    x, x_test = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30) for v in (x, x_test))
    mean = x.mean(0)
    x, x_test = x - mean, x_test - mean
    kernel = x @ x.T
    scale = np.trace(kernel) / len(x)
    kernels.append(kernel / scale)
    test_kernels.append(x_test @ x.T / scale)
kernels, test_kernels = np.stack(kernels), np.stack(test_kernels)
prepared = time.perf_counter() - start

one_hot = np.eye(classes)[y]
offset = one_hot.mean(0)
folds = (StratifiedGroupKFold if groups else StratifiedKFold)(5, shuffle=True, random_state=given.seed)
splits = list(folds.split(np.zeros(len(y)), y, groups))


class Splits:
    """himalaya asks a splitter, by positions."""

    def split(self, *_):
        return iter(splits)

    def get_n_splits(self, *_):
        return len(splits)


for draws in map(int, given.draws.split(",")):
    start, cpu = time.perf_counter(), time.process_time()
    deltas, dual, scores = solve_multiple_kernel_ridge_random_search(
        kernels, one_hot - offset, n_iter=draws, concentration=[0.1, 1.0], alphas=np.logspace(-6, 3, 10), cv=Splits(),
        local_alpha=False, return_weights="dual", random_state=given.seed, progress_bar=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    # Weights of one kernel each: exp(deltas) (taps, targets).
    logits = np.einsum("tij,tk,jk->ik", test_kernels, np.exp(deltas), dual) + offset
    right = logits.argmax(1) == y_test
    print(json.dumps(dict(store=str(given.store), draws=draws, test=round(100 * right.mean(), 1),
                          seconds=round(seconds, 1), cpu=round(cpu, 1), kernels=round(prepared, 1), taps=len(kernels),
                          himalaya=himalaya.__version__)), flush=True)
