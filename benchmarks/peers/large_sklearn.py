"""l2 logistic regression on large tables by scikit-learn's lbfgs.

usage: large_sklearn.py path FOLDER BUDGET LAMBDA:GRADIENT...   a path, warm-started from the largest lambda down
       large_sklearn.py folds FOLDER L2...                      every penalty on five stratified folds, and one fit on all

The gradient is that of sum CE + lambda ||W||^2 with respect to W and b (Frobenius). scikit-learn's tolerance is on the
largest entry of the mean loss's gradient: it starts where that norm would be about met, and is tightened, warm-started,
until it is. A path stops after BUDGET seconds of fitting. Prints one line of JSON; times are of fitting alone.
"""
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

warnings.simplefilter("ignore")
kind, folder = sys.argv[1], Path(sys.argv[2])
x = np.ascontiguousarray(np.load(folder / "X.npy"), np.float64)
y = np.load(folder / "y.npy")
n, p = x.shape
k = int(y.max()) + 1
report = {"solver": f"scikit-learn {sklearn.__version__}"}


def measure(model, lam):
    w, b = model.coef_.T, model.intercept_
    z = x @ w + b
    z -= z.max(1, keepdims=True)
    e = np.exp(z)
    q = e / e.sum(1, keepdims=True)
    objective = float(-np.log(q[np.arange(n), y]).sum() + lam * (w**2).sum())
    q[np.arange(n), y] -= 1
    gradient = x.T @ q + 2 * lam * w
    return objective, float(np.sqrt((gradient**2).sum() + (q.sum(0) ** 2).sum()))


def path():
    budget = float(sys.argv[3])
    targets = sorted((tuple(map(float, a.split(":"))) for a in sys.argv[4:]), reverse=True)
    model = LogisticRegression(max_iter=20000, warm_start=True)
    points, spent = [], 0.0
    for lam, target in targets:
        tol = 4 * target / n / np.sqrt(p * k)
        seconds, iterations, last = 0.0, 0, np.inf
        while True:
            model.set_params(C=1 / (2 * lam), tol=tol)
            began = time.perf_counter()
            model.fit(x, y)
            seconds += time.perf_counter() - began
            iterations += int(model.n_iter_[0])
            objective, gradient = measure(model, lam)
            # Rounding ends its line searches: a smaller tolerance then changes nothing.
            stuck = gradient > 0.9 * last
            if gradient <= target or stuck or spent + seconds > budget:
                break
            last = gradient
            tol *= max(0.1, 0.7 * target / gradient)
        spent += seconds
        points.append({"lambda": lam, "seconds": seconds, "iterations": iterations, "gradient": gradient,
                       "target": target, "reached": gradient <= target, "objective": objective})  # fmt: skip
        if spent > budget:
            break
    return {"seconds": spent, "asked": len(targets), "points": points}


def folds():
    penalties = [float(a) for a in sys.argv[3:]]
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(norms > 0, norms, 1)
    seconds = []
    splits = [(train, test) for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(unit, y)]
    for train, _ in [(np.arange(n), None), *splits]:
        began = time.perf_counter()
        for l2 in penalties:
            LogisticRegression(C=1 / (len(train) * l2), max_iter=10000).fit(unit[train], y[train])
        seconds.append(time.perf_counter() - began)
    return {"whole": seconds[0], "folds": sum(seconds[1:])}


report |= path() if kind == "path" else folds()
print(json.dumps(report | {"maxRssMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
