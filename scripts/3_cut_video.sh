#!/usr/bin/env bash
# 3) cut video (drop video on me) (written by make_launchers.py)
set -euo pipefail
[ $# -gt 0 ] || { echo "Usage: $0 VIDEO [flags]" >&2; exit 2; }
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl videoed cut-video --input-file "$@"
