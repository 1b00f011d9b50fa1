#!/bin/sh
# Runs the studies behind docs/results/probes and docs/results/probes-deit, and keeps their records there; then
# npx tsx docs/results/draw.ts draws pages and tables. What was computed before is not computed again.
set -e
cd "$(dirname "$0")/.."
for study in probes probes-deit; do
  node dist/cli/main.js run "configs/$study.yaml" -o "runs/$study" --jobs "${1:-2}"
  mkdir -p "docs/results/$study"
  cp "runs/$study/record.json" "docs/results/$study/record.json"
done
