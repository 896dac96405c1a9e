#!/usr/bin/env bash
# Makes the environment (once) and runs the checks and the test suite, in two processes. Arguments go to pytest.
set -euo pipefail
root=$(CDPATH="" cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export DFL_VENV=${DFL_VENV:-$root/.venv}
bash "$root/scripts/setup.sh" --tests
cd -- "$root"
export TF_CPP_MIN_LOG_LEVEL=3
"$DFL_VENV/bin/ruff" check .
"$DFL_VENV/bin/ruff" format --check .
"$DFL_VENV/bin/lint-imports"
"$DFL_VENV/bin/mypy"
site=$(mktemp -d)
NO_MKDOCS_2_WARNING=1 "$DFL_VENV/bin/mkdocs" build --strict --quiet --site-dir "$site"
rm -r -- "$site"
exec "$DFL_VENV/bin/python" -m pytest -n 2 --dist loadfile "$@"
