#!/usr/bin/env bash
# 5.2) data_dst util faceset resize (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl facesettool resize --input-dir "$DFL_WORKSPACE/data_dst/aligned" "$@"
