"""Settings of TensorFlow have to be made before a test imports it."""

import core  # noqa: F401
