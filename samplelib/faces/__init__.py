"""Face pictures as files: their metadata and masks, a faceset as a list of them, and changed copies."""
