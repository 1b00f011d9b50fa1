#!/usr/bin/env bash
# One command for every peer: a virtual environment beside this file with PyTorch (several GB), torchvision, timm,
# transformers, scikit-learn, adelie, onnxruntime; glmnet comes from Debian (r-cran-glmnet). Needed for benchmarks and fixtures only.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet --upgrade pip
.venv/bin/pip install --quiet numpy scipy pillow scikit-learn adelie onnx onnxruntime onnxscript torch torchvision timm transformers
command -v Rscript >/dev/null && Rscript -e 'library(glmnet)' >/dev/null 2>&1 ||
  echo "for glmnet: apt-get install r-cran-glmnet"
