"""The one picture window: Qt's where it starts, OpenCV's behind the same interface where it does not."""
