"""Grouped multinomial path by adelie on one data set. usage: solver_adelie.py FOLDER; prints one line of JSON"""
import json
import sys
import time
from pathlib import Path

import adelie as ad
import numpy as np
from scipy.special import logsumexp

folder = Path(sys.argv[1])
x = np.asfortranarray(np.load(folder / "X.npy").astype(np.float64))
y = np.load(folder / "y.npy")
n, p = x.shape
k = int(y.max()) + 1
began = time.perf_counter()
m = ad.grpnet(
    x, ad.glm.multinomial(np.eye(k)[y]), lmda_path_size=50, min_ratio=0.05, n_threads=1, progress_bar=False,
    early_exit=False, adev_tol=1.0, ddev_tol=0,
)
seconds = time.perf_counter() - began
w = m.betas[-1].toarray().reshape(p, k)
# adelie divides the loss by K and weighs every group by sqrt(K).
last = m.lmdas[-1] * k**1.5
z = x @ w + m.intercepts[-1]
objective = (logsumexp(z, 1) - z[np.arange(n), y]).mean() + last * np.linalg.norm(w, axis=1).sum()
print(
    json.dumps(
        {
            "solver": f"adelie {ad.__version__}",
            "seconds": seconds,
            "lambdas": len(m.lmdas),
            "lastLambda": float(last),
            "objective": float(objective),
            "nonzero": int((np.linalg.norm(w, axis=1) > 0).sum()),
        }
    )
)
