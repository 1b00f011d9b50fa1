"""Opens a trained model with the reference runtime and compares its predictions with those that toehold wrote.

usage: python check_model.py RUN DATA
RUN holds model.onnx and predictions.csv (toehold train -o RUN), DATA the images. Decoding and resizing are Pillow's,
the normalisation is the model's own metadata; so everything but the weights is independent of toehold.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from PIL import Image

run, data = Path(sys.argv[1]), Path(sys.argv[2])
model = onnx.load(run / "model.onnx")
onnx.checker.check_model(model, full_check=True)
meta = {p.key: json.loads(p.value) for p in model.metadata_props if p.key.startswith("toehold.")}
pre = meta["toehold.preprocess"]
height, width = pre["size"]
order = [0, 1, 2] if pre["channels"] == "rgb" else [2, 1, 0]
filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
assert pre["resize"] == "exact", "only exact resizing is checked here"


def read(name):
    image = Image.open(data / name).convert("RGB").resize((width, height), filters[pre["interpolation"]])
    x = np.asarray(image, np.float32)[..., order] * pre["scale"]
    x = (x - np.float32(pre["mean"])) / np.float32(pre["std"])
    return (x if pre["layout"] == "nhwc" else x.transpose(2, 0, 1)).astype(np.float32)


session = ort.InferenceSession(run / "model.onnx", providers=["CPUExecutionProvider"])
info = session.get_inputs()[0]
free = not isinstance(info.shape[0], int)
rows = list(csv.DictReader(open(run / "predictions.csv")))
size = 50 if free else info.shape[0]
same = right = 0
worst = 0.0
for start in range(0, len(rows), size):
    part = rows[start : start + size]
    x = np.stack([read(r["file"]) for r in part])
    x = np.concatenate([x, np.zeros((size - len(part), *x.shape[1:]), np.float32)]) if not free else x
    logits = session.run(["logits"], {info.name: x})[0][: len(part)]
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    best = p.argmax(1)
    for k, r in enumerate(part):
        same += best[k] == int(r["predicted"])
        right += best[k] == int(r["label"])
        worst = max(worst, abs(p[k, int(r["predicted"])] - float(r["probability"])))
print(
    f"onnx {onnx.__version__}, onnxruntime {ort.__version__}: input {info.name} {info.shape}, "
    f"{same} of {len(rows)} predictions equal, accuracy {right / len(rows):.4f}, "
    f"largest difference of a probability {worst:.1e}"
)
sys.exit(same < len(rows) * 0.995)
