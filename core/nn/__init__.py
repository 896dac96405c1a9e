"""The TensorFlow side: devices, layers, losses, optimizers, weight files.

Importing this package imports TensorFlow, without the lines about missing CUDA drivers that its native code prints.
"""

from core.console.native_output import silenced

with silenced():
    import tensorflow

    tensorflow.config.list_physical_devices()  # loads the drivers, which print too
