"""Uninstalls every package that brings one of the given modules: the builds of TensorFlow and of ONNX Runtime share theirs.

Called by setup.sh and setup.bat with names of modules before another build is installed.
"""

import importlib.metadata
import subprocess
import sys

owners = importlib.metadata.packages_distributions()
packages = sorted({package for module in sys.argv[1:] for package in owners.get(module, [])})
if packages:
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *packages]))
