# shellcheck shell=bash
# Sourced by every numbered script, which sets its own options: where things are, and `dfl`, which runs main.py in the environment of setup.sh.
#   DFL_WORKSPACE   the workspace folder (default: workspace beside main.py)
#   DFL_VENV        the environment (default: .venv beside main.py)
DFL_ROOT=$(CDPATH="" cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
DFL_WORKSPACE=${DFL_WORKSPACE:-$DFL_ROOT/workspace}
DFL_PRETRAIN_FACES=${DFL_PRETRAIN_FACES:-$DFL_ROOT/pretrain_faces}
DFL_PRETRAIN_QUICK96=${DFL_PRETRAIN_QUICK96:-$DFL_ROOT/pretrain_Quick96}
DFL_GENERIC_XSEG=${DFL_GENERIC_XSEG:-$DFL_ROOT/model_generic_xseg}
DFL_VENV=${DFL_VENV:-$DFL_ROOT/.venv}
export DFL_ROOT DFL_WORKSPACE DFL_PRETRAIN_FACES DFL_PRETRAIN_QUICK96 DFL_GENERIC_XSEG DFL_VENV
# DFL_SKIP_SETUP=1: the environment is made and kept by somebody else.
[ "${DFL_SKIP_SETUP:-0}" = 1 ] || bash "$DFL_ROOT/scripts/setup.sh" || return
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}

dfl() {
    if [ -f "$DFL_ROOT/.cpu_only" ]; then
        CUDA_VISIBLE_DEVICES=-1 "$DFL_VENV/bin/python" "$DFL_ROOT/main.py" "$@"
    else
        "$DFL_VENV/bin/python" "$DFL_ROOT/main.py" "$@"
    fi
}
