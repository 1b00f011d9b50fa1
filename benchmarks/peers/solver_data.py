"""Writes the data sets of the solver benchmark: deep-like features, ReLU mixtures of class-dependent factors.

usage: solver_data.py FOLDER NAME N P K [FACTORS] [BLOCKS]
X.npy has shape (n, p) in Fortran order, float32, every column standardised; y.npy holds the labels.
"""
import sys
from pathlib import Path

import numpy as np


def write(folder, name, n, p, k, factors=256, blocks=10, chunk=4096):
    target = Path(folder) / name
    if (target / "y.npy").exists():
        return
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([n, p, k])
    y = np.arange(n) % k
    rng.shuffle(y)
    centres = rng.standard_normal((k, factors)) * 0.35
    x = np.lib.format.open_memmap(target / "X.npy", "w+", np.float32, (n, p), fortran_order=True)
    edges = np.linspace(0, p, blocks + 1).astype(int)
    for b in range(blocks):
        # Deeper blocks carry more of the class and less noise.
        signal = (b + 1) / blocks
        latent = (signal * centres[y] + rng.standard_normal((n, factors))).astype(np.float32)
        for start in range(edges[b], edges[b + 1], chunk):
            stop = min(start + chunk, edges[b + 1])
            mix = rng.standard_normal((factors, stop - start)).astype(np.float32)
            mix *= rng.random((factors, stop - start)) < 0.08
            z = latent @ mix / np.sqrt(0.08 * factors)
            z += 0.5 * rng.standard_normal(z.shape).astype(np.float32)
            z = np.maximum(z - 0.3, 0)
            z -= z.mean(0)
            s = z.std(0)
            x[:, start:stop] = z / np.where(s > 0, s, 1)
    x.flush()
    np.save(target / "edges.npy", edges.astype(np.int64))
    np.save(target / "y.npy", y.astype(np.int64))


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
