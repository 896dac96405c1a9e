#!/usr/bin/env bash
# 4.2) data_src util add landmarks debug images (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl util --input-dir "$DFL_WORKSPACE/data_src/aligned" --add-landmarks-debug-images "$@"
