#!/usr/bin/env bash
# 4.1) data_src view aligned result (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl view --input-dir "$DFL_WORKSPACE/data_src/aligned" "$@"
