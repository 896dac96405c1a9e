"""Foundations that know nothing of faces. TensorFlow's settings are made here, before anything can import it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Off by default on AMD processors, where it makes convolutions about a third faster as well.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
