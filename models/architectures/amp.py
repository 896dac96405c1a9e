"""AMP: one encoder, two inters and one decoder; how much of the code comes from which inter sets the morph.

The two inters are random projections: they are never trained (see :mod:`models.amp.model`), only the encoder and the
decoder learn to use them. Layout and names follow DeepFaceLab's AMP, so its weights load as they are.
"""

from typing import Any

import keras
import tensorflow as tf

from core.errors import UsageError
from core.nn.layers import Dense
from core.nn.operations import unflatten
from models.architectures.archi_text import ArchitectureText
from models.architectures.deepfake import Decoder, Encoder
from models.architectures.weight_shapes import amp_inter_options

LETTERS = ArchitectureText("df", likeness=True, double=True, deep=True)


class AmpEncoder(Encoder):
    """The deep encoder with a dense layer behind it: face (N, R, R, 3) to (N, ae_dims)."""

    def __init__(self, resolution: int, e_dims: int, ae_dims: int, name: str = "encoder"):
        super().__init__(e_dims, LETTERS, name)
        self.dense1 = Dense(8 * e_dims * (resolution // 32) ** 2, ae_dims)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, R, R, 3) to (N, ae_dims), float32."""
        return self.dense1(super().call(x))


class AmpInter(keras.Model):
    """Vector (N, ae_dims) to map (N, r, r, inter_dims), one dense layer."""

    options_of_weights = staticmethod(amp_inter_options)

    def __init__(self, ae_dims: int, inter_dims: int, lowest_resolution: int, name: str):
        super().__init__(name=name)
        self._map_shape = (lowest_resolution, lowest_resolution, inter_dims)
        self.dense2 = Dense(ae_dims, lowest_resolution * lowest_resolution * inter_dims)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, ae_dims) to (N, r, r, inter_dims)."""
        return unflatten(self.dense2(x), *self._map_shape)


class AmpAutoencoder:
    """The networks of one model and how they are wired.

    Parameters
    ----------
    resolution : int
        Multiple of 32.
    ae_dims, inter_dims, e_dims, d_dims, d_mask_dims : int
    """

    def __init__(self, resolution: int, ae_dims: int, inter_dims: int, e_dims: int, d_dims: int, d_mask_dims: int):
        if resolution % 32:
            raise UsageError(f"resolution is {resolution}: AMP needs a multiple of 32")
        self.resolution = resolution
        self.inter_dims = inter_dims
        self.encoder = AmpEncoder(resolution, e_dims, ae_dims)
        self.inter_src = AmpInter(ae_dims, inter_dims, resolution // 32, "inter_src")
        self.inter_dst = AmpInter(ae_dims, inter_dims, resolution // 32, "inter_dst")
        self.decoder = Decoder(inter_dims, d_dims, d_mask_dims, LETTERS, mask_output_first=True)
        self.networks = {
            network.name: network for network in (self.encoder, self.inter_src, self.inter_dst, self.decoder)
        }

    def reconstruct(self, source: str, destination: tf.Tensor, channel_masks: Any) -> Any:
        """Decode both batches (N, R, R, 3).

        Parameters
        ----------
        source, destination : tensor (N, R, R, 3)
        channel_masks : tensor (N, inter_dims)
            1 where a channel of the source code comes from inter_src, 0 where from inter_dst.

        Returns
        -------
        pictures (2N, R, R, 3), masks (2N, R, R, 1)
            Source first.
        """
        count = tf.shape(source)[0]
        vectors = self.encoder(tf.concat((source, destination), axis=0))
        from_destination = self.inter_dst(vectors)
        choice = channel_masks[:, None, None, :]
        mixed = self.inter_src(vectors[:count]) * choice + from_destination[:count] * (1 - choice)
        return self.decoder(tf.concat((mixed, from_destination[count:]), axis=0))

    def swap(self, faces: tf.Tensor, morph: tf.Tensor) -> Any:
        """Destination faces to (morphed face, its mask, the mask of the destination face).

        Parameters
        ----------
        faces : tensor (N, R, R, 3)
        morph : tensor ()
            Share of the code's channels that come from inter_src, 0..1.
        """
        vectors = self.encoder(faces)
        from_destination = self.inter_dst(vectors)
        channels = tf.cast(tf.cast(self.inter_dims, tf.float32) * morph, tf.int32)
        choice = tf.range(self.inter_dims) < channels
        picture, mask = self.decoder(tf.where(choice, self.inter_src(vectors), from_destination))
        return picture, mask, self.decoder.mask(from_destination)
