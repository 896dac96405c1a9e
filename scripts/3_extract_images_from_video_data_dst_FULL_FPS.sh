#!/usr/bin/env bash
# 3) extract images from video data_dst FULL FPS (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl videoed extract-video --input-file "$DFL_WORKSPACE/data_dst.*" --output-dir "$DFL_WORKSPACE/data_dst" --fps 0 "$@"
