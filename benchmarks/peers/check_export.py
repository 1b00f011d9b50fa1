"""An exported head in Python: does it give the accuracy and the classes that the probe recorded?

    toehold probe STORE -m head2toe -o OUT && toehold export OUT -o head.onnx
    python check_export.py head.onnx OUT/predictions.csv DATA --method head2toe

DATA is the folder of images that the features were extracted from. Needs numpy, onnxruntime and Pillow.
"""
import argparse
import csv
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

parser = argparse.ArgumentParser()
parser.add_argument("head")
parser.add_argument("predictions")
parser.add_argument("data")
parser.add_argument("--method", default="head2toe")
args = parser.parse_args()

session = onnxruntime.InferenceSession(args.head)
classes = json.loads(session.get_modelmeta().custom_metadata_map["toehold.classes"])
with open(args.predictions, newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["method"] == args.method]
if not rows:
    sys.exit(f"{args.predictions} has no predictions of {args.method}")

right = recorded = differing = 0
largest = 0.0
for row in rows:
    image = ImageOps.exif_transpose(Image.open(pathlib.Path(args.data) / row["file"])).convert("RGB")
    (p,) = session.run(["probabilities"], {"image": np.asarray(image)})
    assert p.shape == (len(classes),) and abs(p.sum() - 1) < 1e-5
    predicted = classes[int(p.argmax())]
    right += predicted == row["label"]
    recorded += int(row["correct"])
    differing += predicted != row["predicted"]
    largest = max(largest, abs(float(p[classes.index(row["label"])]) - float(row["probability of label"])))

n = len(rows)
print(f"{n} images: accuracy {right / n:.4f} here, {recorded / n:.4f} recorded")
print(f"{differing} predictions differ; largest difference of the label's probability {largest:.1e}")
sys.exit(1 if right != recorded else 0)
