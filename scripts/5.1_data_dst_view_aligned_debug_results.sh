#!/usr/bin/env bash
# 5.1) data_dst view aligned_debug results (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl view --input-dir "$DFL_WORKSPACE/data_dst/aligned_debug" "$@"
