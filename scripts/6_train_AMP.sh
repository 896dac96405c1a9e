#!/usr/bin/env bash
# 6) train AMP (written by make_launchers.py)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
dfl train --training-data-src-dir "$DFL_WORKSPACE/data_src/aligned" --training-data-dst-dir "$DFL_WORKSPACE/data_dst/aligned" --pretraining-data-dir "$DFL_PRETRAIN_FACES" --model-dir "$DFL_WORKSPACE/model" --model AMP "$@"
