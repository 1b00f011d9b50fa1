"""Checks a backbone's stored features against an independent computation: Pillow decodes and resizes, Python's
onnxruntime runs the untouched model with every tap as an output, NumPy pools.

Both sides get the same image files.

    python benchmarks/peers/check_features.py MODEL DATASET [--preprocess tf] [--images 48] [--pool target:512]
"""

import argparse
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageOps

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def adaptive_mean(x, rows, columns):
    """(N, C, H, W) to (N, C, rows, columns): the mean of every bin, bins from floor to ceil."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, rows, columns))
    for i in range(rows):
        for j in range(columns):
            r = slice(i * h // rows, math.ceil((i + 1) * h / rows))
            q = slice(j * w // columns, math.ceil((j + 1) * w / columns))
            out[:, :, i, j] = x[:, :, r, q].mean((2, 3))
    return out


def pooled(value, tap):
    """One tap's features, in the store's order: channel, then cell."""
    x = value.astype(np.float64)
    pieces = []
    for piece in tap["pieces"]:
        rows, columns = piece["grid"]
        if tap["kind"] == "vector":
            pieces.append(x)
        elif tap["kind"] == "map":
            pieces.append(adaptive_mean(x, rows, columns).reshape(len(x), -1))
        else:
            prefix, patches = x[:, : piece["prefix"]], x[:, piece["prefix"] :]
            side = round(math.sqrt(patches.shape[1]))
            grid = patches.transpose(0, 2, 1).reshape(len(x), x.shape[2], side, side)
            cells = adaptive_mean(grid, rows, columns).reshape(len(x), x.shape[2], -1)
            pieces.append(np.concatenate([prefix.transpose(0, 2, 1), cells], 2).reshape(len(x), -1))
    return np.concatenate(pieces, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--preprocess", default="imagenet")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--pool", default="target:512")
    a = parser.parse_args()
    model = onnx.load(a.model)
    size = [d.dim_value for d in model.graph.input[-1].type.tensor_type.shape.dim][2] or 224
    files = sorted(p for p in pathlib.Path(a.dataset).glob("train/*") if p.suffix in {".jpg", ".png"})
    files = files[:: max(1, len(files) // a.images)][: a.images]
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images"
        pixels = []
        for k, file in enumerate(files):
            image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
            name = f"train/{'ab'[k % 2]}/{k:04d}{file.suffix}"
            (images / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, images / name)
            pixels.append((name, np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))))
        store = pathlib.Path(folder) / "store"
        command = ["npx", "toehold", "extract", a.model, str(images), "-o", str(store), "--preprocess", a.preprocess]
        subprocess.run([*command, "--pool", a.pool, "--quiet"], check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        meta = json.loads((store / "meta.json").read_text())
        existing = {o.name for o in model.graph.output}
        for tap in meta["taps"]:
            if tap["name"] not in existing:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tap["name"]))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        position = {file: i for i, file in enumerate(meta["splits"]["train"]["files"])}
        mean, std = (np.array(meta["preprocess"][k], np.float32) for k in ("mean", "std"))
        scale = meta["preprocess"].get("scale", 1 / 255)
        scale = scale if scale < 1 else 1 / scale
        worst = 0.0
        for start in range(0, len(pixels), 8):
            part = pixels[start : start + 8]
            x = np.stack([p for _, p in part]).astype(np.float32) * np.float32(scale)
            x = ((x - mean) / std).transpose(0, 3, 1, 2)
            values = session.run([t["name"] for t in meta["taps"]], {session.get_inputs()[0].name: x})
            for tap, value in zip(meta["taps"], values):
                stored = np.load(store / tap["file"]["train"], mmap_mode="r")
                mine = stored[[position[f] for f, _ in part]]
                theirs = pooled(value, tap)
                worst = max(worst, float(np.abs(mine - theirs).max() / np.abs(theirs).max()))
        verdict = "ok" if worst < 1e-3 else "DIFFERS"
        features = sum(t["features"] for t in meta["taps"])
        print(f"{a.model}: {len(meta['taps'])} taps, {features} features, {len(files)} images: "
              f"largest difference relative to a tap's largest feature {worst:.1e}  {verdict}")
        sys.exit(0 if worst < 1e-3 else 1)


main()
