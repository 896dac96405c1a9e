"""XSeg: training and use of the mask network."""

import numpy as np

from core.nn import losses
from core.nn.optimizers import RMSprop, recorded
from models.architectures.xseg import XSegNetwork
from models.architectures.xseg_levels import RESOLUTION
from models.trainable_model import TrainableModel, full_names, to_unit_range, two_window_dssim
from models.xseg.low_values import cut_low_values

LEARNING_RATE = 1e-4
KEEP_SHARE = 0.3


class XSeg(TrainableModel):
    """The model. With the option ``pretrain`` it learns to redraw grey faces without shortcuts."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Masks of faces.

        Parameters
        ----------
        images : np.ndarray (N, 256, 256, 3)
            BGR, 0..1.

        Returns
        -------
        np.ndarray (N, 256, 256, 1)
            0..1; values under 0.1 are 0.
        """
        masks = self._predicted(np.asarray(images, np.float32))
        return cut_low_values(masks)

    def input_names(self) -> tuple[str, ...]:
        """Names of the arrays that a training step reads: in pretraining ``mask`` holds the grey face."""
        return ("image", "mask")

    def preview_names(self) -> tuple[str, ...]:
        """Names of the arrays that a preview reads."""
        return ("image",)

    def _build(self):
        self.resolution = RESOLUTION
        self._pretrain = bool(self.options.get("pretrain", False))
        network = XSegNetwork()
        self.networks = {"XSeg_256": network}
        if self.training:
            self._trained = full_names([network])
            self.optimizers["XSeg_256_opt"] = self._optimizer(
                [network], RMSprop, learning_rate=LEARNING_RATE, keep_share=KEEP_SHARE
            )

    def _train(self, tensors):
        image, target = to_unit_range(tensors["image"]), to_unit_range(tensors["mask"])
        with recorded(self._trained) as tape:
            logits, prediction = self.networks["XSeg_256"](image, without_skips=self._pretrain)
            if self._pretrain:
                sample_losses = two_window_dssim(target, prediction, RESOLUTION)
                sample_losses += 10 * losses.mean_square(target, prediction)
            else:
                sample_losses = losses.cross_entropy(target, logits)
        finite = self._minimize("XSeg_256_opt", tape, sample_losses, self._trained)
        return self._checked(sample_losses[None], finite)

    def _predict(self, images):
        return self.networks["XSeg_256"](images, without_skips=self._pretrain)[1]

    def _preview(self, tensors):
        return {"prediction": self._predict(to_unit_range(tensors["image"]))}
