"""Settings of TensorFlow have to be made before a test imports it."""

import pytest

import core  # noqa: F401


@pytest.fixture
def eager():
    """Tiny models spend their time on tracing, not on computing."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
