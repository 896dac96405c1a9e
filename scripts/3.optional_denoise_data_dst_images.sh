#!/usr/bin/env bash
# 3.optional) denoise data_dst images (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl videoed denoise-image-sequence --input-dir "$DFL_WORKSPACE/data_dst" "$@"
