"""Training samples: faces in memory, their order, augmentation and batches."""
