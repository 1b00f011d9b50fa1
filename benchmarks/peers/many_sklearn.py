"""scikit-learn's Ridge by Cholesky, one penalty, on the table that benchmarks/many-examples.ts draws; all of it in memory.

usage: many_sklearn.py FOLDER EXAMPLES TESTED WIDTH...
Values of a tap to unit norm, each tap with as much variance, as all-ridge has them. Prints one line of JSON; seconds are of fitting.
"""
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import Ridge

folder, n, tested = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
widths = [int(w) for w in sys.argv[4:]]
labels = np.array(json.loads((folder / "labels.json").read_text()))
stored = [np.memmap(folder / f"{split}.f32", np.float32, "r", shape=(sum(widths), count)) for split, count in (("train", n), ("test", tested))]
x = np.empty((n + tested, sum(widths)), np.float32)
at = 0
for width in widths:
    part = np.concatenate([split[at:at + width].T for split in stored])
    part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-30)
    part /= np.sqrt(part[:n].var(0).sum() * len(widths))
    x[:, at:at + width] = part
    at += width
y = np.eye(labels.max() + 1, dtype=np.float32)[labels]
began = time.perf_counter()
cpu = time.process_time()
model = Ridge(alpha=1.0, solver="cholesky").fit(x[:n], y[:n])
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
accuracy = float((model.predict(x[n:]).argmax(1) == labels[n:]).mean())
print(json.dumps({"solver": f"scikit-learn {sklearn.__version__}", "seconds": seconds, "cpuSeconds": cpu, "accuracy": accuracy,
                  "maxRssMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))  # fmt: skip
