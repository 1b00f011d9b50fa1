#!/bin/sh
# Runs a study of probes (probes, probes-mobilenetv2) and keeps its record in docs/results; then npx tsx docs/results/draw.ts draws
# page and tables, where a README.md stands beside it. What was computed before is not computed again.
#   scripts/results-probes.sh STUDY [JOBS]
set -e
cd "$(dirname "$0")/.."
node dist/cli/main.js run "configs/$1.yaml" -o "runs/$1" --jobs "${2:-2}"
mkdir -p "docs/results/$1"
cp "runs/$1/record.json" "docs/results/$1/record.json"
