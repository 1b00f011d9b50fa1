"""l2 logistic regression over a grid by scikit-learn's lbfgs, warm-started from the largest lambda down.

usage: solver_sklearn.py FOLDER BUDGET LAMBDA:GRADIENT...; stops after BUDGET seconds; prints one line of JSON. The gradient
is that of sum CE + lambda ||W||^2 with respect to W and b (Frobenius). scikit-learn's own tolerance is on the largest
entry of the mean loss's gradient: it is tightened until the norm is at most GRADIENT, which the other side reached.
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
budget = float(sys.argv[2])
targets = sorted((tuple(map(float, a.split(":"))) for a in sys.argv[3:]), reverse=True)
x = np.ascontiguousarray(np.load(folder / "X.npy"), np.float64)
y = np.load(folder / "y.npy")
k = int(y.max()) + 1
model = LogisticRegression(max_iter=20000, warm_start=True)
points, spent = [], 0.0
for lam, target in targets:
    tol = target / len(y) / 100
    seconds, iterations = 0.0, 0
    while True:
        model.set_params(C=1 / (2 * lam), tol=tol)
        began = time.perf_counter()
        model.fit(x, y)
        seconds += time.perf_counter() - began
        iterations += int(model.n_iter_[0])
        w, b = model.coef_.T, model.intercept_
        z = x @ w + b
        z -= z.max(1, keepdims=True)
        e = np.exp(z)
        p = e / e.sum(1, keepdims=True)
        d = p - np.eye(k)[y]
        gw = x.T @ d + 2 * lam * w
        gradient = float(np.sqrt((gw**2).sum() + (d.sum(0) ** 2).sum()))
        if gradient <= target or spent + seconds > budget or tol < 1e-16:
            break
        tol /= 8
    spent += seconds
    objective = float(-np.log(p[np.arange(len(y)), y]).sum() + lam * (w**2).sum())
    points.append(
        {"lambda": lam, "seconds": seconds, "iterations": iterations, "gradient": gradient, "objective": objective}
    )
    if spent > budget:
        break
print(
    json.dumps(
        {
            "solver": f"scikit-learn {sklearn.__version__}",
            "seconds": spent,
            "lambdas": len(points),
            "asked": len(targets),
            "points": points,
        }
    )
)
