#!/usr/bin/env bash
# 5.XSeg) data_src mask - edit (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl xseg editor --input-dir "$DFL_WORKSPACE/data_src/aligned" "$@"
