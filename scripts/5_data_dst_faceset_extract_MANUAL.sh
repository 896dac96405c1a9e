#!/usr/bin/env bash
# 5) data_dst faceset extract MANUAL (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl extract --input-dir "$DFL_WORKSPACE/data_dst" --output-dir "$DFL_WORKSPACE/data_dst/aligned" --detector manual --max-faces-from-image 0 --output-debug "$@"
