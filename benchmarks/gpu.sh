#!/usr/bin/env bash
# Measures training, extraction and merge on this machine's graphics card; see benchmarks/gpu.py for what and how.
# Uses the environment that scripts/setup.sh made, or the Python given by DFL_PYTHON, or python3.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${DFL_PYTHON:-}"
if [ -z "$python" ]; then
  if [ -x "$root/.venv/bin/python" ]; then python="$root/.venv/bin/python"; else python=python3; fi
fi
exec "$python" "$root/benchmarks/gpu.py" "$@"
