"""l2 logistic regression over a grid by scikit-learn's lbfgs, warm-started from the largest lambda down.

usage: solver_sklearn.py FOLDER TOL BUDGET LAMBDA...; stops after BUDGET seconds; prints one line of JSON. The gradient
is that of sum CE + lambda ||W||^2 with respect to W and b (Frobenius), ours and theirs alike.
"""
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
tol, budget = float(sys.argv[2]), float(sys.argv[3])
lambdas = sorted(map(float, sys.argv[4:]), reverse=True)
x = np.ascontiguousarray(np.load(folder / "X.npy"))
y = np.load(folder / "y.npy")
k = int(y.max()) + 1
model = LogisticRegression(tol=tol, max_iter=5000, warm_start=True)
points, spent = [], 0.0
for lam in lambdas:
    model.set_params(C=1 / (2 * lam))
    began = time.perf_counter()
    model.fit(x, y)
    seconds = time.perf_counter() - began
    spent += seconds
    w, b = model.coef_.T.astype(float), model.intercept_.astype(float)
    z = x @ w + b
    z -= z.max(1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(1, keepdims=True)
    d = p - np.eye(k)[y]
    gw = x.T @ d + 2 * lam * w
    points.append(
        {
            "lambda": lam,
            "seconds": seconds,
            "iterations": int(model.n_iter_[0]),
            "gradient": float(np.sqrt((gw**2).sum() + (d.sum(0) ** 2).sum())),
            "objective": float(-np.log(p[np.arange(len(y)), y]).sum() + lam * (w**2).sum()),
        }
    )
    if spent > budget:
        break
print(json.dumps({"solver": f"scikit-learn {sklearn.__version__}", "tol": tol, "seconds": spent, "points": points}))
