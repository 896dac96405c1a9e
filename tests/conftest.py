"""Common to all tests."""

import signal

# A shell that starts the suite in the background lets it ignore Ctrl+C, and programs started by tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
