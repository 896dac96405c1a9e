"""Foundations that know nothing of faces. TensorFlow's settings are made here, before anything can import it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Off by default on AMD processors, where it makes convolutions about a third faster as well.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Keras imports matplotlib where it is installed. In a notebook this names a backend that only the notebook's own environment
# has, and the import would fail.
if os.environ.get("MPLBACKEND", "").startswith("module:"):
    del os.environ["MPLBACKEND"]
