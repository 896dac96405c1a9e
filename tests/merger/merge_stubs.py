"""Networks and golden cases that the merger's tests share."""

import json
from pathlib import Path

import numpy as np

from core.window.keys import Key
from merger.compose import Motion, compose_frame, prepare_face
from merger.predictor import predict_faces
from merger.settings.config import MergeConfig

STILL = Motion()
GOLDEN = Path(__file__).parents[1] / "golden" / "merger"


def load(name):
    return np.load(GOLDEN / name, allow_pickle=False)


def read_json(name):
    return json.loads((GOLDEN / name).read_text())


def unit(image):
    return image.astype(np.float32) / 255


def radius_square(size):
    u = 2 * (np.arange(size) + 0.5) / size - 1
    return u[None] ** 2 + u[:, None] ** 2


def xseg_first_set(image):
    mask = np.clip(1.3 - 2 * radius_square(image.shape[0]) + image.mean() - 0.5, 0, 1)
    mask[mask < 0.1] = 0
    return mask.astype(np.float32)


def xseg_second_set(image):
    square = radius_square(image.shape[0])
    return np.clip(1.25 - 1.5 * square + 0.8 * (image.mean(-1) - 0.5), 0, 1).astype(np.float32)


class FixedNetworks:
    """Predicts the same face and masks whatever it sees; notes its inputs."""

    def __init__(self, face, learned_prd, learned_dst, xseg=xseg_first_set):
        self.face, self.learned_prd, self.learned_dst, self._xseg = face, learned_prd, learned_dst, xseg
        self.resolution = face.shape[0]
        self.calls, self.inputs, self.xseg_inputs, self.enhanced = 0, [], [], 0

    def predict(self, faces, morph):
        self.calls += 1
        self.inputs += list(faces)
        return tuple(np.stack([part] * len(faces)) for part in (self.face, self.learned_prd, self.learned_dst))

    def xseg(self, images):
        self.xseg_inputs += list(images)
        return np.stack([self._xseg(image) for image in images])

    def enhance(self, faces):
        self.enhanced += len(faces)
        return [np.clip(1.1 * np.repeat(np.repeat(face, 4, 0), 4, 1) - 0.05, 0, 1) for face in faces]


def first_set_networks():
    data = load("merge_inputs.npz")
    return FixedNetworks(unit(data["face_u8"]), unit(data["prd_mask_u8"]), unit(data["dst_mask_u8"]))


def merge(frame, landmark_sets, config, networks, motion=STILL, rng_factory=None, keep_rim=True):
    """One frame through all stages; (H, W, 4) uint8."""
    faces = [prepare_face(frame, landmarks, config, networks.resolution) for landmarks in landmark_sets]
    predictions = predict_faces(faces, [config] * len(faces), networks)
    image, mask = compose_frame(
        frame, list(zip(faces, predictions, strict=True)), config, motion, rng_factory, keep_rim
    )
    return np.dstack([image, mask])


def config_of(case):
    face_type = {"full_face": "full", "half_face": "half", "midfull_face": "midfull"}.get(
        case["face_type"], case["face_type"]
    )
    return MergeConfig(face_type=face_type).updated(case["cfg"])


def generator_of(case):
    return None if case["seed"] is None else lambda: np.random.RandomState(case["seed"])


def key_of(character):
    """The key that types this character on a US keyboard."""
    shifted = {"?": "/", "<": ",", ">": ".", "+": "=", "_": "-", "~": "`", ":": ";"}
    if character in shifted:
        return Key(shifted[character], True)
    return Key(character.lower(), character.isupper())
