"""Runs ``main.py`` as in an environment without TensorFlow. Arguments as of ``main.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.modules["tensorflow"] = sys.modules["keras"] = None  # Importing them now fails as if they were not installed.
    import main

    sys.exit(main.main(sys.argv[1:]))
