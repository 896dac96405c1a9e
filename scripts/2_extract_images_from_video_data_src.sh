#!/usr/bin/env bash
# 2) extract images from video data_src (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl videoed extract-video --input-file "$DFL_WORKSPACE/data_src.*" --output-dir "$DFL_WORKSPACE/data_src" "$@"
