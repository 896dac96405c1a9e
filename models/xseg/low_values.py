"""What of XSeg's result counts as mask."""

import numpy as np

SMALLEST_MASK_VALUE = 0.1


def cut_low_values(masks: np.ndarray) -> np.ndarray:
    """Masks (N, H, W, 1) within 0…1, with 0 for everything under 0.1."""
    masks = np.clip(masks, 0, 1)
    masks[masks < SMALLEST_MASK_VALUE] = 0
    return masks
