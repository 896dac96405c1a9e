#!/usr/bin/env bash
# 5.XSeg) data_dst trained mask - apply (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl xseg apply --input-dir "$DFL_WORKSPACE/data_dst/aligned" --model-dir "$DFL_WORKSPACE/model" "$@"
