"""Attentive Layer Fusion (arXiv 2601.09322) in PyTorch, from its formulas, on the features of a toehold store.

    pip install torch numpy scikit-learn
    toehold extract BACKBONE DATA --taps 'block*.ln2,features' --pool gap -o STORE
    python benchmarks/peers/alf.py STORE [--grid compact|published] [--seeds 5] [--once] [--balanced] [--jitter .05] [--threads 2]

Every vector of every tap (CLS and mean of tokens) is divided by its norm; one learned query attends over them, with a head
per vector. AdamW, a half cosine to 1e-6, batches so that an epoch has five, 40 epochs and at least 1,000 steps, clipped at 5,
noise on half of the examples. The setting of the highest accuracy on a fifth of the training examples (whole groups where the
store has some) is trained on all of them. The released code validates on noisy examples; here only training ones are noisy.
With --once the setting is chosen with the first seed only. Prints one line of JSON for each seed: test accuracy, chosen
setting, seconds.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from torch import nn

GRIDS = {
    "compact": dict(lr=(1e-2, 1e-3), wd=(1e-3, 1.0), dropout=(0.0, 0.3)),
    "published": dict(lr=(1e-1, 1e-2, 1e-3), wd=(1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), dropout=(0.0, 0.1, 0.3)),
}


class Fusion(nn.Module):
    """Keys and values of every vector, as published. x (B, k, D)."""

    def __init__(self, k, width, classes, dropout=0.0):
        super().__init__()
        self.heads = min(k, width)
        self.size = 2 * (width // self.heads)
        total = self.heads * self.size
        self.query = nn.Parameter(0.02 * torch.randn(1, width))
        self.norm_q, self.norm_k, self.norm_v = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.wq = nn.Linear(width, total, bias=False)
        self.wk = nn.Linear(width, total, bias=False)
        self.wv = nn.Linear(width, total, bias=False)
        self.wo = nn.Linear(total, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.BatchNorm1d(width)
        self.classify = nn.Linear(width, classes)

    def forward(self, x):
        n, k, _ = x.shape
        split = lambda v: v.reshape(v.shape[0], -1, self.heads, self.size).transpose(1, 2)
        q = split(self.wq(self.norm_q(self.query))[None].expand(n, -1, -1))
        keys, values = split(self.wk(self.norm_k(x))), split(self.wv(self.norm_v(x)))
        attention = self.dropout(torch.softmax(q @ keys.transpose(2, 3) / math.sqrt(self.size), -1))
        z = self.wo((attention @ values).transpose(1, 2).reshape(n, -1))
        return self.classify(self.norm(z))


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-30)


def vectors(store, split):
    """(n, k, D), padded with zeros."""
    meta = json.loads((store / "meta.json").read_text())
    parts = []
    for tap in meta["taps"]:
        if tap["alias"] == "logits":
            continue
        values, at = np.load(store / tap["file"][split]), 0
        for piece in tap["pieces"]:
            own = values[:, at:at + piece["features"]].reshape(len(values), piece["channels"], -1)
            at += piece["features"]
            parts += [own[:, :, c] for c in range(piece["prefix"])]
            if own.shape[2] > piece["prefix"]:
                parts.append(own[:, :, piece["prefix"]:].reshape(len(values), -1))
    width = max(p.shape[1] for p in parts)
    padded = [np.pad(unit(p.astype(np.float64)), ((0, 0), (0, width - p.shape[1]))) for p in parts]
    return np.stack(padded, 1).astype(np.float32)


def fit(x, y, classes, lr, wd, dropout, seed, jitter, balanced):
    torch.manual_seed(seed)
    model = Fusion(x.shape[1], x.shape[2], classes, dropout)
    weight = torch.from_numpy(len(y) / (classes * np.maximum(1, np.bincount(y, minlength=classes)))).float()
    loss = nn.CrossEntropyLoss(weight if balanced else None)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=wd)
    n = len(y)
    batch = min(2048, n // 5)
    steps = max(1000, 40 * (n // batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-6)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y).long()
    model.train()
    for step in range(steps):
        at = step % (n // batch)
        order = torch.randperm(n) if at == 0 else order
        rows = order[at * batch:(at + 1) * batch]
        given = xs[rows]
        if jitter > 0:
            given = given + (torch.rand(batch, 1, 1) < .5) * jitter * torch.randn_like(given)
        optimiser.zero_grad()
        loss(model(given), ys[rows]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimiser.step()
        schedule.step()
    return model.eval()


def score(model, x, y, balanced):
    with torch.no_grad():
        right = (model(torch.from_numpy(x)).argmax(1).numpy() == y)
    return float(np.mean([right[y == c].mean() for c in np.unique(y)])) if balanced else float(right.mean())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=pathlib.Path)
    parser.add_argument("--grid", choices=GRIDS, default="compact")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--jitter", type=float, default=.05)
    parser.add_argument("--balanced", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    torch.set_num_threads(given.threads)
    meta = json.loads((given.store / "meta.json").read_text())
    x, x_test = vectors(given.store, "train"), vectors(given.store, "test")
    y, y_test = (np.array(meta["splits"][s]["labels"]) for s in ("train", "test"))
    groups, classes = meta["splits"]["train"].get("groups"), int(y.max()) + 1
    settings = [dict(lr=l, wd=w, dropout=d) for l in GRIDS[given.grid]["lr"] for w in GRIDS[given.grid]["wd"]
                for d in GRIDS[given.grid]["dropout"]]
    for seed in range(given.seeds):
        start = time.perf_counter()
        folds = (StratifiedGroupKFold if groups else StratifiedKFold)(5, shuffle=True, random_state=seed)
        train, held = next(folds.split(x, y, groups))
        common = dict(seed=seed, jitter=given.jitter, balanced=given.balanced)
        if seed == 0 or not given.once:
            tried = [score(fit(x[train], y[train], classes, **s, **common), x[held], y[held], given.balanced) for s in settings]
            best = int(np.argmax(tried))
            chosen = time.perf_counter() - start
        model = fit(x, y, classes, **settings[best], **common)
        print(json.dumps(dict(seed=seed, test=score(model, x_test, y_test, given.balanced), validation=tried[best],
                              **settings[best], seconds=round(time.perf_counter() - start, 1), choosing=round(chosen, 1), tried=len(settings),
                              vectors=list(x.shape[1:]), torch=torch.__version__)), flush=True)


if __name__ == "__main__":
    main()
