"""The console: questions and their answers, flags, lines, progress bars, events and the process itself."""
