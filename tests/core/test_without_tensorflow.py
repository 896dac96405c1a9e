"""Everything but training runs where only ONNX Runtime is installed, with the same results."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.networks.weight_files import write_weights
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from samplelib.faces.aligned_face import FaceMetadata, read_metadata, save_face

HERE = Path(__file__).parent
OPTIONS = {
    "resolution": 64, "face_type": "f", "archi": "liae-ud", "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16,
    "batch_size": 2,
}  # fmt: skip


def run(*arguments, without=True):
    program = HERE / "without_tensorflow.py" if without else HERE.parents[1] / "main.py"
    command = [sys.executable, str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=HERE.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Two frames with their faces, a swap model and an XSeg model, both of random weights."""
    from core.nn.weights import network_to_dict
    from models.architectures.xseg import XSegNetwork
    from models.base import SavedModel

    folder = tmp_path_factory.mktemp("workspace")
    (folder / "dst" / "aligned").mkdir(parents=True)
    inputs = np.load(HERE.parent / "golden" / "merger" / "merge_inputs.npz")
    landmarks, frame = inputs["lm_A"].astype(np.float64), inputs["frame_u8"]
    for number in (1, 2):
        shifted, points = np.roll(frame, number, axis=0), landmarks + [0, number]
        cv2.imwrite(str(folder / "dst" / f"{number:05d}.png"), shifted)
        matrix = face_matrix(points, 96, FaceType.FULL)
        face, in_face = cv2.warpAffine(shifted, matrix, (96, 96)), transform_points(points, matrix)
        metadata = FaceMetadata("full_face", in_face, f"{number:05d}.png", np.array([0, 0, 9, 9]), points, matrix)
        save_face(folder / "dst" / "aligned" / f"{number:05d}_0.jpg", face, metadata)
    saved = SavedModel(folder / "model", "SAEHD", "tiny")
    (folder / "model").mkdir()
    saved.data.options = OPTIONS
    saved.build(training=True, seed=1)
    saved.data.iteration, saved.data.loss_history = 1, [[1.0, 1.0]]
    saved.save()
    write_weights(folder / "model" / "XSeg_256.npy", network_to_dict(XSegNetwork()))
    return folder


def merged(folder, *flags, **how):
    arguments = ("--input-dir", folder / "dst", "--output-dir", folder / "merged", "--output-mask-dir", folder / "masks",
                 "--aligned-dir", folder / "dst" / "aligned", "--model-dir", folder / "model", "--model", "SAEHD", "--yes",
                 "--overwrite", "--mask-mode", "learned-prd*learned-dst*XSeg-prd*XSeg-dst")  # fmt: skip
    run("merge", *arguments, *flags, **how)
    return [cv2.imread(str(path)) for path in sorted((folder / "merged").glob("*.png"))]


def test_merging_without_tensorflow_gives_the_same_pictures(workspace):
    found = merged(workspace)
    wanted = merged(workspace, "--engine", "tensorflow", "--cpu-only", without=False)
    assert len(found) == len(wanted) == 2
    for ours, theirs in zip(found, wanted):
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_masks_are_applied_without_tensorflow(workspace):
    faces = sorted((workspace / "dst" / "aligned").glob("*.jpg"))
    arguments = ("xseg", "apply", "--input-dir", workspace / "dst" / "aligned", "--model-dir", workspace / "model",
                 "--face-type", "f", "--yes")  # fmt: skip
    told = run(*arguments)
    found = [read_metadata(path).decode_xseg_mask() for path in faces]
    run(*arguments, "--restart", "--engine", "tensorflow", "--cpu-only", without=False)
    for path, ours in zip(faces, found):
        theirs = read_metadata(path).decode_xseg_mask()
        # Random weights make masks of noise, in which a rounding may turn single pixels over.
        assert ours is not None and np.mean(np.abs(ours - theirs) > 2 / 255) < 1e-3, told
