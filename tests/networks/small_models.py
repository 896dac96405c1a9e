"""Tiny models and batches for tests of single options."""

import numpy as np

from core.nn.weights import network_to_dict
from models.saehd.model import Saehd

SIZES = {"resolution": 64, "ae_dims": 4, "e_dims": 4, "d_dims": 4, "d_mask_dims": 2, "face_type": "f"}


def saehd(seed=1, training=True, **options):
    """SAEHD of the smallest useful size; ``options`` override."""
    return Saehd(
        SIZES | {"archi": "df-ud", "batch_size": 2, "fuse_update": False} | options, training=training, seed=seed
    )


def batch_for(model, count=2, seed=0):
    """A random uint8 batch of soft blobs, so that masks and windows have something to find."""
    rng = np.random.default_rng(seed)
    batch = {}
    for name in model.input_names():
        if name == "channel_masks":
            continue
        channels = 1 if name == "mask" or name.endswith(("m", "m_em")) else 3
        cells = rng.random((count, 8, 8, channels))
        picture = np.kron(cells, np.ones((1, model.resolution // 8, model.resolution // 8, 1)))
        batch[name] = (255 * picture).astype(np.uint8)
    return batch


def weights(model):
    """All weights of a model, copied, by ``<file stem>/<key>``."""
    return {
        f"{stem}/{key}": np.copy(value)
        for stem, network in model.networks.items()
        for key, value in network_to_dict(network).items()
    }
