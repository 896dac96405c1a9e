"""Face pictures and facesets as files: metadata, packs, masks, and changed copies of them."""
