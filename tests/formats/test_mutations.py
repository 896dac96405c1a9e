"""Damaged files of every kind: a value or one clear error, in time, and the file stays as it is."""

import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.files.imageio import decode_image
from core.networks.weight_files import read_weights
from merger.interactive.session_import import read_session
from models.saved.model_files import read_default_options, read_model_data
from samplelib.faces import aligned_face
from samplelib.faces.metadata import read_metadata_file
from samplelib.packs import packed_faceset, reading

KIT = Path(__file__).parents[1] / "golden" / "formats"
QUICK, SLOW = 300, 10_000
_MOST_SECONDS = 5


def use_face(path):
    """Everything that a tool does with a face picture."""
    shape, metadata = aligned_face.read_header(path)
    if metadata is None:
        return
    assert metadata.landmarks.shape == (68, 2) and np.isfinite(metadata.landmarks).all()
    metadata.polygon_mask(*(min(side, 256) for side in shape[:2]))
    try:
        metadata.decode_xseg_mask()
    except UserError as error:
        assert "mask" in str(error)
    aligned_face.write_metadata(path, metadata.replace(eyebrows_expand_mod=1.5))
    again = aligned_face.read_metadata(path)
    assert again == metadata.replace(eyebrows_expand_mod=1.5)
    decode_image(path.read_bytes(), path)


def use_pack(path):
    for sample in reading.open_pack(path):
        sample.training_metadata.polygon_mask(16, 16)
        sample.metadata.replace(face_type="head")
        sample.read_bgr()


def unpack(path):
    folder = path.parent / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy = folder / "faceset.pak"
    shutil.copy(path, copy)
    before = copy.read_bytes()
    try:
        packed_faceset.unpack_faceset(folder)
    except UserError:
        assert copy.read_bytes() == before
        raise
    finally:
        outside = {item.name for item in path.parent.iterdir()} - {path.name, path.name + ".idx", "unpacked"}
        assert outside == set(), "nothing may be written outside of the folder"


TARGETS = [
    ("aligned/00001_0.jpg", "face.jpg", use_face),
    ("aligned/00002_0.jpg", "face.jpg", use_face),
    ("release_env/00005_0.jpg", "face.jpg", use_face),
    ("release_env/faceset.pak", "faceset.pak", use_pack),
    ("release_env/faceset.pak", "faceset.pak", unpack),
    ("variants/pak_plain_ints/faceset.pak", "faceset.pak", use_pack),
    ("meta/meta.dat", "meta.dat", read_metadata_file),
    ("model/gold_AMP_inter_src.npy", "x_AMP_inter_src.npy", read_weights),
    ("model_rmsprop/golden_SAEHD_GAN_opt.npy", "x_SAEHD_GAN_opt.npy", read_weights),
    ("model/SAEHD_default_options.dat", "SAEHD_default_options.dat", read_default_options),
    ("model/golden_SAEHD_data.dat", "x_SAEHD_data.dat", read_model_data),
    ("model/golden_SAEHD_merger_session.dat", "x_SAEHD_merger_session.dat", read_session),
]


def mutate(data, rng):
    """Flip, cut, repeat or replace bytes, most often in the first kilobytes, where the structure is."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        if not data:
            break
        at = min(int(rng.expovariate(1 / 1500)), len(data) - 1) if rng.random() < 0.7 else rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = (
                rng.choice(b"\x00\xff\x80.(]}qhjrRbcP\x8c\x94\x93\x81\xff\xd8\xd9\xef")
                if rng.random() < 0.7
                else rng.randrange(256)
            )
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 8, 100))]
        elif kind == 3:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 8))))
        elif kind == 4:
            data[at:at] = data[at : at + rng.choice((4, 22, 300))]
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def run(count, tmp_path, capfd):
    originals = {name: (KIT / name).read_bytes() for name, _, _ in TARGETS}
    outcomes = {"read": 0, "refused": 0}
    for seed in range(count):
        rng = random.Random(seed)
        source, name, use = TARGETS[seed % len(TARGETS)]
        path = tmp_path / name
        data = mutate(originals[source], rng)
        path.write_bytes(data)
        start = time.process_time()
        try:
            use(path)
            outcomes["read"] += 1
        except UserError as error:
            outcomes["refused"] += 1
            assert str(tmp_path) in str(error) and "\n" not in str(error), (seed, str(error))
            assert path.read_bytes() == data or use is use_face, (seed, "the file changed")
            if use is use_face:
                _same_picture_data(path.read_bytes(), data, seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}, {source}: {type(error).__name__}: {error}") from error
        assert time.process_time() - start < _MOST_SECONDS, seed
        path.unlink()
        if seed % 500 == 0:
            capfd.readouterr()
    shutil.rmtree(tmp_path / "unpacked", ignore_errors=True)
    return outcomes


def _same_picture_data(new, old, seed):
    """A face that could not be used to the end was not written, or written with its whole picture."""
    assert new == old or new.endswith(old[-200:]), (seed, "the picture changed")


def test_damaged_files(tmp_path, capfd):
    outcomes = run(QUICK, tmp_path, capfd)
    assert min(outcomes.values()) > QUICK // 10


@pytest.mark.slow
def test_many_damaged_files(tmp_path, capfd):
    outcomes = run(SLOW, tmp_path, capfd)
    assert min(outcomes.values()) > SLOW // 10
