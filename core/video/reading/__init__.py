"""Reading videos with PyAV: what they hold, when each picture is shown, and the pictures."""
