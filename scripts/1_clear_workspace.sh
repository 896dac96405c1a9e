#!/usr/bin/env bash
# 1) clear workspace (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl workspace clear --workspace "$DFL_WORKSPACE" "$@"
