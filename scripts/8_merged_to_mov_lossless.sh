#!/usr/bin/env bash
# 8) merged to mov lossless (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl videoed video-from-sequence --input-dir "$DFL_WORKSPACE/data_dst/merged" --output-file "$DFL_WORKSPACE/result.mov" --reference-file "$DFL_WORKSPACE/data_dst.*" --include-audio --lossless "$@"
dfl videoed video-from-sequence --reference-file "$DFL_WORKSPACE/data_dst.*" "$@" --input-dir "$DFL_WORKSPACE/data_dst/merged_mask" --output-file "$DFL_WORKSPACE/result_mask.mov" --lossless
