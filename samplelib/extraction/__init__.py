"""Finding faces in frames and saving them aligned, by program or by hand."""
