#!/usr/bin/env bash
# 5.XSeg) data_src trained mask - remove (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl xseg remove --input-dir "$DFL_WORKSPACE/data_src/aligned" "$@"
