#!/usr/bin/env bash
# 4.2) data_src sort (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl sort --input-dir "$DFL_WORKSPACE/data_src/aligned" "$@"
