#!/usr/bin/env bash
# 4.2) data_src util faceset enhance (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl facesettool enhance --input-dir "$DFL_WORKSPACE/data_src/aligned" "$@"
