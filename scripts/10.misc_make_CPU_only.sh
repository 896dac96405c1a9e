#!/usr/bin/env bash
# 10.misc) make CPU only (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl workspace cpu-only "$@"
