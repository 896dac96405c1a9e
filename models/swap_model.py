"""What SAEHD and Quick96 share: an autoencoder of the deepfake family that predicts and is previewed alike."""

import numpy as np
import tensorflow as tf

from core.nn import losses
from models.architectures.deepfake import DeepfakeAutoencoder
from models.trainable_model import TrainableModel, image_loss, to_unit_range

MASK_LOSS_WEIGHT = 10


class SwapModel(TrainableModel):
    """A trainable model around ``self.autoencoder``."""

    autoencoder: DeepfakeAutoencoder

    def predict(self, faces: np.ndarray, morph: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Swap faces.

        Parameters
        ----------
        faces : np.ndarray (N, R, R, 3)
            Destination faces, BGR, 0..1.
        morph : float
            Ignored; only AMP can morph.

        Returns
        -------
        face : np.ndarray (N, R, R, 3)
            The source face in the destination's pose.
        mask_prd : np.ndarray (N, R, R, 1)
            The mask of that face.
        mask_dst : np.ndarray (N, R, R, 1)
            The mask of the destination face.
        """
        del morph
        swapped, mask_prd, mask_dst = self._predicted(np.asarray(faces, np.float32))
        return swapped, mask_prd, mask_dst

    def _predict(self, faces):
        return self.autoencoder.swap(faces)

    def _preview(self, tensors):
        source, destination = to_unit_range(tensors["target_src"]), to_unit_range(tensors["target_dst"])
        output = self.autoencoder.reconstruct(source, destination)
        swapped, swapped_mask = self.autoencoder.decode_source(output.swap_code)
        source_picture, destination_picture = tf.split(output.pictures, 2)
        source_mask, destination_mask = tf.split(output.masks, 2)
        return {
            "P_ss": source_picture,
            "Q_ss": source_mask,
            "P_dd": destination_picture,
            "Q_dd": destination_mask,
            "P_sd": swapped,
            "Q_sd": swapped_mask,
        }

    def _side_losses(self, target, picture, mask, predicted_mask):
        """Image loss plus mask loss of each sample."""
        return image_loss(target, picture, self.resolution) + MASK_LOSS_WEIGHT * losses.mean_square(
            mask, predicted_mask
        )
