"""The pictures of a training: pages, the window, the browser, the choice of samples."""
