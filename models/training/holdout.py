"""Scores on faces that training never sees: structural dissimilarity and PSNR of the reconstructions."""

from typing import Any

import numpy as np

from core.console import interact
from core.errors import UsageError
from models.registry import SWAP_NAMES
from models.training.callbacks import Hook

EXTRA_KEY = "holdout_scores"
_BATCH = 8
_WINDOW_SIGMA = 1.5


class HoldoutScores(Hook):
    """Hook of the trainer: scores both sides at every save and keeps them with the model.

    Each entry of ``data.extra["holdout_scores"]`` is ``[iteration, dssim src, dssim dst, psnr src, psnr dst]``.

    Parameters
    ----------
    trainer : models.training.trainer.Trainer
    """

    def __init__(self, trainer: Any):
        if not trainer.saved.kind.swaps_faces:
            *others, last = SWAP_NAMES
            raise UsageError(f"--holdout works with {', '.join(others)} and {last}.")
        self._batches = trainer.data.holdout_batches(_BATCH)
        self.latest: list[float] | None = None

    def before_save(self, trainer: Any) -> None:
        """Score the present weights; the scores are saved with them."""
        scores = score(trainer.saved.network, self._batches)
        self.latest = [trainer.saved.iteration, *scores]
        trainer.saved.data.extra.setdefault(EXTRA_KEY, []).append(self.latest)
        interact.info(
            f"Held-out faces: dssim src {scores[0]:.4f} dst {scores[1]:.4f}, psnr src {scores[2]:.2f} dB "
            f"dst {scores[3]:.2f} dB"
        )


def score(network: Any, batches: list[dict[str, np.ndarray]]) -> list[float]:
    """Mean dssim of source and destination, then mean PSNR of both, inside the faces' masks.

    Parameters
    ----------
    network : models.trainable_model.TrainableModel
    batches : list of dict
        ``target_src``, ``target_srcm`` … uint8; see :meth:`models.training.training_data.SwapData.holdout_batches`.
    """
    dssims: dict[str, list] = {"src": [], "dst": []}
    psnrs: dict[str, list] = {"src": [], "dst": []}
    for batch in batches:
        outputs = network.preview_tensors(batch)
        for side, name in (("src", "P_ss"), ("dst", "P_dd")):
            mask = batch[f"target_{side}m"].astype(np.float32) / 255
            target = batch[f"target_{side}"].astype(np.float32) / 255 * mask
            output = np.clip(outputs[name], 0, 1) * mask
            for one, other, weight in zip(target, output, mask):
                dssims[side].append(dssim(one, other))
                psnrs[side].append(psnr(one, other, weight))
    return [float(np.mean(values)) for values in (dssims["src"], dssims["dst"], psnrs["src"], psnrs["dst"])]


def dssim(first: np.ndarray, second: np.ndarray) -> float:
    """(1 - SSIM) / 2 of two (H, W, 3) float32 pictures 0…1, Gaussian window of sigma 1.5 (Wang et al., 2004)."""
    import cv2

    def blur(picture):
        return cv2.GaussianBlur(picture, (11, 11), _WINDOW_SIGMA)

    mean_1, mean_2 = blur(first), blur(second)
    variance = blur(first * first) + blur(second * second) - mean_1**2 - mean_2**2
    covariance = blur(first * second) - mean_1 * mean_2
    light, contrast = 0.01**2, 0.03**2
    ssim = (2 * mean_1 * mean_2 + light) / (mean_1**2 + mean_2**2 + light)
    ssim *= (2 * covariance + contrast) / (variance + contrast)
    return float((1 - ssim.mean()) / 2)


def psnr(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over the weighted pixels; 100 for equal pictures."""
    total = float(weight.sum()) * first.shape[2]
    error = float(((first - second) ** 2).sum()) / max(total, 1.0)
    return 100.0 if error < 1e-10 else float(-10 * np.log10(error))
