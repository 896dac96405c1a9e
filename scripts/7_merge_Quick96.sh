#!/usr/bin/env bash
# 7) merge Quick96 (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl merge --input-dir "$DFL_WORKSPACE/data_dst" --output-dir "$DFL_WORKSPACE/data_dst/merged" --output-mask-dir "$DFL_WORKSPACE/data_dst/merged_mask" --aligned-dir "$DFL_WORKSPACE/data_dst/aligned" --model-dir "$DFL_WORKSPACE/model" --model Quick96 "$@"
