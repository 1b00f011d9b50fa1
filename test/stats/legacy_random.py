"""Fixture of test/stats/legacy-random.test.ts: python3 legacy_random.py > legacy-random.json (NumPy 2)."""
import json
import numpy as np

print(json.dumps({
    "bits": [int(np.random.RandomState([s]).randint(0, 2**32, dtype=np.uint32)) for s in range(6)],
    "halves": {str(s): sorted(int(i) for i in np.random.RandomState([s]).choice(1000, 500, replace=False)) for s in range(4)},
    "small": [[int(i) for i in np.random.RandomState([7, s]).choice(10, 5, replace=False)] for s in range(8)],
}))
