#!/usr/bin/env bash
# 4) data_src faceset extract (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl extract --input-dir "$DFL_WORKSPACE/data_src" --output-dir "$DFL_WORKSPACE/data_src/aligned" --detector s3fd "$@"
