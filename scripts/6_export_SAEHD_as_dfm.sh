#!/usr/bin/env bash
# 6) export SAEHD as dfm (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl exportdfm --model-dir "$DFL_WORKSPACE/model" --model SAEHD "$@"
