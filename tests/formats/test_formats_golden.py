"""Every file of the conformance kit parses to what the kit says, and comes back equal after writing."""

import hashlib
import json
import pickletools
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from core.files.imageio import read_image
from core.networks.weight_files import read_weights, weights_to_bytes
from core.pickles import safe_pickle
from merger.interactive.session_import import read_session
from models.saved.model_files import (
    ModelData,
    model_data_to_bytes,
    read_default_options,
    read_model_data,
    summary_text,
    write_default_options,
    write_model_data,
)
from samplelib.faces import aligned_face, jpeg_segments
from samplelib.faces.metadata import metadata_file_pieces, read_metadata_file
from samplelib.packs.packed_faceset import pack_faceset, unpack_faceset
from samplelib.packs.reading import open_pack, read_pack

KIT = Path(__file__).parents[1] / "golden" / "formats"
EXPECTED = json.loads((KIT / "expected.json").read_text(encoding="utf-8"))
JPEGS = sorted(EXPECTED["aligned"])
PACKS = sorted(EXPECTED["pak"])
MODEL = EXPECTED["model"]
WEIGHTS = sorted(name for name in MODEL if name.endswith(".npy"))


def sha(data):
    return hashlib.sha256(data).hexdigest()


def array_sha(array):
    return sha(np.ascontiguousarray(array).tobytes())


def check_value(found, expected):
    """Compare a value with its description in ``expected.json``."""
    if isinstance(expected, dict) and "type" in expected and "sha256" in expected:
        assert isinstance(found, np.ndarray)
        assert (found.dtype.str, list(found.shape)) == (expected["dtype"], expected["shape"])
        assert array_sha(found) == expected["sha256"]
    elif isinstance(expected, dict) and set(expected) == {"type", "values"}:
        assert type(found).__name__ == expected["type"]
        check_value(list(found), expected["values"])
    elif isinstance(expected, dict) and set(expected) == {"type", "value"}:
        assert f"numpy.{type(found).__name__}" == expected["type"]
        assert found == expected["value"]
    elif isinstance(expected, dict):
        assert set(found) == set(expected)
        for key, value in expected.items():
            check_value(found[key], value)
    elif isinstance(expected, list):
        assert isinstance(found, (list, tuple)) and len(found) == len(expected)
        for item, value in zip(found, expected):
            check_value(item, value)
    else:
        assert found == expected and type(found) is type(expected)


def chunk(data):
    segments = [item for item in jpeg_segments.scan_header(data) if item.marker == jpeg_segments.APP15]
    return data[segments[-1].body : segments[-1].end]


def same_structure(first, second):
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and np.array_equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same_structure(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return type(first) is type(second) and len(first) == len(second) and all(map(same_structure, first, second))
    return first == second


@pytest.mark.parametrize("name", JPEGS)
def test_aligned_jpeg(name):
    expected, data = EXPECTED["aligned"][name], (KIT / name).read_bytes()
    assert sha(data) == expected["sha256"]
    app15 = [item for item in jpeg_segments.scan_header(data) if item.marker == jpeg_segments.APP15]
    assert [item.start for item in app15] == [expected["app15_offset"]]
    assert app15[0].end - app15[0].start - 2 == expected["app15_length_field"]
    values = safe_pickle.loads(chunk(data), name)
    assert list(values) == expected["key_order"]
    for key, value in expected["dict"].items():
        check_value(values[key], value)

    shape, metadata = aligned_face.read_header(KIT / name)
    assert list(shape) == expected["shape"]
    assert list(read_image(KIT / name).shape) == expected["decoded_unchanged_shape"]
    assert metadata.face_type == expected["read_back"]["face_type"]
    assert metadata.eyebrows_expand_mod == expected["read_back"]["eyebrows_expand_mod"]
    assert (metadata.xseg_mask is not None) == expected["read_back"]["has_xseg_mask"]
    assert bool(metadata.polygons) == expected["read_back"]["has_seg_ie_polys"]
    np.testing.assert_array_equal(metadata.landmarks, values["landmarks"])
    np.testing.assert_array_equal(metadata.source_rect, values["source_rect"])
    np.testing.assert_array_equal(metadata.source_landmarks, values["source_landmarks"])
    assert metadata.source_filename == values["source_filename"]
    assert (metadata.image_to_face_mat is None) == ("image_to_face_mat" not in values)
    assert set(metadata.extra) == set(values) - {
        "face_type", "landmarks", "source_filename", "source_rect", "source_landmarks", "image_to_face_mat",
        "seg_ie_polys", "xseg_mask", "eyebrows_expand_mod",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in JPEGS if "label_mask" in EXPECTED["aligned"][name]])
def test_masks_of_aligned_jpeg(name):
    expected = EXPECTED["aligned"][name]
    (height, width, _), metadata = aligned_face.read_header(KIT / name)
    assert [int(polygon.include) for polygon in metadata.polygons] == expected["label_mask"]["poly_types_after_load"]
    labels = metadata.polygon_mask(height, width)
    assert labels.shape == (height, width, 1) and labels.dtype == np.float32
    difference = abs(int(labels.sum()) - expected["label_mask"]["ones"])
    assert difference <= expected["label_mask"]["ones_tolerance"]

    mask = metadata.decode_xseg_mask()
    stored = expected["xseg_mask"]
    assert len(metadata.xseg_mask) == stored["bytes"] and list(mask.shape[:2]) == stored["decoded_shape"]
    np.testing.assert_allclose(mask.mean() * 255, stored["decoded_mean"], atol=0.05)
    if "decoded_sha256" in stored:
        assert array_sha(np.rint(mask[:, :, 0] * 255).astype(np.uint8)) == stored["decoded_sha256"]


@pytest.mark.parametrize("name", JPEGS)
def test_aligned_jpeg_written_back(name, tmp_path):
    data = (KIT / name).read_bytes()
    metadata = aligned_face.metadata_from_jpeg(data, name)
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    aligned_face.write_metadata(path, metadata)
    assert path.read_bytes() == data, "unchanged metadata must leave the bytes alone"

    changed = metadata.replace(source_filename="другой кадр.png")
    aligned_face.write_metadata(path, changed)
    assert aligned_face.read_metadata(path) == changed
    aligned_face.write_metadata(path, metadata)
    assert aligned_face.read_metadata(path) == metadata
    new = path.read_bytes()
    body = chunk(new)
    assert new.index(body) == EXPECTED["aligned"][name]["app15_offset"] + 4
    assert data.replace(chunk(data), b"")[24:] == new.replace(body, b"")[24:], "pixels and segments keep their bytes"
    check_written_pickle(body)


def check_written_pickle(data):
    assert data[:2] == b"\x80\x04" and b"numpy._core" not in data
    names, strings = set(), []
    for operation, argument, _ in pickletools.genops(data):
        assert operation.proto <= 4
        if "UNICODE" in operation.name or "GET" in operation.name:
            strings.append(argument)
        if operation.name == "STACK_GLOBAL":
            names.add("found")
        assert operation.name not in ("GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID")
    return names


@pytest.mark.parametrize("name", PACKS)
def test_pack(name, tmp_path):
    expected, path = EXPECTED["pak"][name], KIT / name
    data = path.read_bytes()
    version, config_bytes = struct.unpack_from("<QQ", data)
    assert (version, config_bytes) == (expected["version"], expected["config_bytes"])
    copy = shutil.copy(path, tmp_path)
    entries, first, second = read_pack(path), open_pack(copy), open_pack(copy)
    assert len(entries) == len(first) == len(second) == len(expected["samples"])
    assert (tmp_path / "faceset.pak.idx").is_file()
    for entry, wanted in zip(entries, expected["samples"]):
        assert entry.config["sample_type"] == wanted["sample_type"]
        assert entry.config["face_type"] == wanted["face_type"]
    for entry, sample, wanted in zip(entries * 2, first + second, expected["samples"] * 2):
        assert (entry.filename, entry.person_name) == (wanted["filename"], wanted["person_name"])
        assert (sample.name, sample.person_name) == (wanted["filename"], wanted["person_name"])
        assert (entry.offset, entry.size) == (wanted["data_start"], wanted["size"])
        assert sha(sample.read_bytes()) == wanted["sha256"]
        assert list(sample.shape) == wanted["shape"]
        metadata = sample.training_metadata
        np.testing.assert_array_equal(metadata.landmarks[[0, 67]], [wanted["landmark_0"], wanted["landmark_67"]])
        assert metadata.eyebrows_expand_mod == wanted["eyebrows_expand_mod"]
        assert metadata.source_filename == wanted["source_filename"]
        assert [[int(p.include), p.points.tolist()] for p in metadata.polygons] == [
            [kind, np.float32(points).tolist()] for kind, points in wanted["polys"]
        ]
        if wanted["xseg_mask_compressed"] is None:
            assert metadata.xseg_mask is None
        else:
            assert sha(metadata.xseg_mask) == wanted["xseg_mask_compressed"]["sha256"]
        assert sample.metadata == aligned_face.metadata_from_jpeg(sample.read_bytes(), sample.name)


@pytest.mark.parametrize("name", PACKS)
def test_pack_unpacked_and_packed_again(name, tmp_path):
    source = KIT / name
    (tmp_path / "faceset.pak").write_bytes(source.read_bytes())
    unpack_faceset(tmp_path)
    originals = {"pak_flat": "aligned", "pak_person": "aligned", "release_env": "release_env"}[source.parent.name]
    files = list(tmp_path.rglob("*.jpg"))
    assert files and not (tmp_path / "faceset.pak").exists()
    for path in files:
        assert path.read_bytes() == (KIT / originals / path.name).read_bytes()
    packed = pack_faceset(tmp_path, persons="person" in name)
    for before, after in zip(read_pack(source), read_pack(packed.path)):
        assert (before.filename, before.person_name) == (after.filename, after.person_name)
        assert before.read_bytes() == after.read_bytes()
        assert before.index_metadata() == after.index_metadata()
    data = packed.path.read_bytes()
    config_size = struct.unpack_from("<QQ", data)[1]
    check_written_pickle(data[16 : 16 + config_size])
    last = struct.unpack_from("<Q", data, 16 + config_size + 8 * len(packed.files))[0]
    assert last == len(data), "the last offset is the size of the whole file"


def test_metadata_file():
    saved = read_metadata_file(KIT / "meta" / "meta.dat")
    expected = EXPECTED["meta.dat"]["entries"]
    assert list(saved) == list(expected)
    raw = safe_pickle.load(KIT / "meta" / "meta.dat")
    for name, face in saved.items():
        assert list(face.shape) == expected[name]["shape"]
        assert list(raw[name][1]) == expected[name]["keys"]
        assert face.metadata == aligned_face.read_metadata(KIT / expected[name]["equals_dict_of"])


def test_metadata_file_written_back(tmp_path):
    saved = read_metadata_file(KIT / "meta" / "meta.dat")
    data = b"".join(metadata_file_pieces(saved))
    (tmp_path / "meta.dat").write_bytes(data)
    check_written_pickle(data)
    again = read_metadata_file(tmp_path / "meta.dat")
    assert list(again) == list(saved)
    assert all(again[name].shape == saved[name].shape for name in saved)
    assert all(again[name].metadata == saved[name].metadata for name in saved)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weight_file(name, tmp_path):
    weights = read_weights(KIT / name)
    assert len(weights) == len(MODEL[name]["entries"])
    for (key, value), (wanted_key, kind, shape, content) in zip(weights.items(), MODEL[name]["entries"]):
        assert key == wanted_key
        if kind.startswith("scalar"):
            assert value == content and type(value) is int
        else:
            assert (value.dtype.str, list(value.shape), array_sha(value)) == (kind, shape, content)
    data = weights_to_bytes(weights)
    check_written_pickle(data)
    (tmp_path / "w.npy").write_bytes(data)
    assert same_structure(dict(read_weights(tmp_path / "w.npy")), dict(weights))


@pytest.mark.parametrize("name", sorted(name for name in MODEL if name.endswith("_options.dat")))
def test_default_options(name, tmp_path):
    raw = safe_pickle.load(KIT / name)
    check_value(raw, MODEL[name]["content"])
    options = read_default_options(KIT / name)
    assert options == raw and all(type(value) in (str, bool, int, float) for value in options.values())
    write_default_options(tmp_path / "o.dat", options)
    assert read_default_options(tmp_path / "o.dat") == options
    check_written_pickle((tmp_path / "o.dat").read_bytes())


def test_model_data(tmp_path):
    name = "model/golden_SAEHD_data.dat"
    check_value(safe_pickle.load(KIT / name), MODEL[name]["content"])
    data = read_model_data(KIT / name)
    content = MODEL[name]["content"]
    assert (data.iteration, data.loss_history) == (content["iter"], content["loss_history"])
    assert list(data.options) == list(content["options"])
    assert all(type(value) in (str, bool, int, float) for value in data.options.values())
    write_model_data(tmp_path / "d.dat", data)
    check_written_pickle((tmp_path / "d.dat").read_bytes())
    again = read_model_data(tmp_path / "d.dat")
    assert (again.options, again.loss_history, again.extra) == (data.options, data.loss_history, data.extra)
    assert same_structure(again.sample_for_preview, data.sample_for_preview)
    assert b"numpy._core" not in model_data_to_bytes(ModelData(1, {"a": np.int32(3)}))


@pytest.mark.parametrize("folder", ["model", "model_rmsprop"])
def test_summary(folder):
    text = (KIT / folder / "golden_SAEHD_summary.txt").read_text(encoding="utf-8")
    options = read_model_data(KIT / "model" / "golden_SAEHD_data.dat").options
    if folder == "model_rmsprop":
        options = {**options, "archi": "liae-udt", "adabelief": False}
    assert summary_text("golden_SAEHD", 3, options) == text


def test_merger_session():
    name = "model/golden_SAEHD_merger_session.dat"
    expected, session = MODEL[name]["content"], read_session(KIT / name)
    assert (session.to_do, session.done) == (expected["frames_idxs"], expected["frames_done_idxs"])
    assert session.model_iteration == expected["model_iter"]
    for frame, wanted in zip(session.frames, expected["frames"]):
        assert frame.name == Path(wanted["filepath"]).name and frame.is_done == wanted["is_done"]
        assert len(frame.landmarks) == wanted["n_faces"]
        assert (frame.motion_degrees, frame.motion_power) == (wanted["motion_deg"], wanted["motion_power"])
        if wanted["cfg"] is None:
            assert frame.settings is None
        else:
            assert frame.settings == {key: value for key, value in wanted["cfg"].items() if key != "sharpen_dict"}


ACCEPTED = [
    "trailing_text.jpg", "trailing_eoi.jpg", "no_eoi.jpg", "exif_no_jfif.jpg", "jfxx_app0.jpg", "dri.jpg",
    "fill_bytes.jpg", "two_app15.jpg", "app15_before_app0.jpg", "pickle_protocol5.jpg", "numpy2_names.jpg",
]  # fmt: skip
WITHOUT_DATA = ["no_metadata.jpg", "app15_not_pickle.jpg", "app15_empty.jpg", "unsafe_global.jpg"]
PACK_VARIANTS = ["pak_plain_ints/faceset.pak", "pak_path_traversal/faceset.pak", "pak_legacy_raw_mask/faceset.pak"]


def test_every_variant_is_covered():
    assert sorted(ACCEPTED + WITHOUT_DATA + PACK_VARIANTS) == sorted(EXPECTED["variants"])


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_variant(name, tmp_path):
    path = tmp_path / name
    path.write_bytes((KIT / "variants" / name).read_bytes())
    shape, metadata = aligned_face.read_header(path)
    original = "00002_0.jpg" if name == "numpy2_names.jpg" else "00001_0.jpg"
    assert metadata == aligned_face.read_metadata(KIT / "aligned" / original)
    assert shape[:2] == read_image(path).shape[:2]
    changed = metadata.replace(face_type="full_face")
    aligned_face.write_metadata(path, changed)
    assert aligned_face.read_metadata(path) == changed
    assert path.read_bytes().endswith((KIT / "variants" / name).read_bytes()[-600:])
    np.testing.assert_array_equal(read_image(path), read_image(KIT / "variants" / name))
    check_written_pickle(chunk(path.read_bytes()))


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_variant_without_data(name, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes((KIT / "variants" / name).read_bytes())
    shape, metadata = aligned_face.read_header(path)
    output = capsys.readouterr()
    assert metadata is None and shape == (96, 96, 3) and output.out == ""
    refused = name in ("app15_not_pickle.jpg", "unsafe_global.jpg")
    assert (str(path) in output.err) == refused
    assert ("builtins.print" in output.err) == (name == "unsafe_global.jpg")
    new = aligned_face.read_metadata(KIT / "aligned" / "00001_0.jpg")
    foreign = chunk(path.read_bytes()) if refused else b""
    aligned_face.write_metadata(path, new)
    assert aligned_face.read_metadata(path) == new
    assert foreign in path.read_bytes(), "a segment that is not ours stays"


@pytest.mark.parametrize("name", PACK_VARIANTS)
def test_pack_variant(name, tmp_path):
    expected = EXPECTED["variants"][name]
    copy = shutil.copy(KIT / "variants" / name, tmp_path)
    first, samples = open_pack(copy), open_pack(copy)
    assert (tmp_path / "faceset.pak.idx").is_file()
    assert [sample.training_metadata for sample in first] == [sample.training_metadata for sample in samples]
    assert len(samples) == expected["n"]
    assert len(samples[0].read_bytes()) == expected["blob_size"]
    assert sha(samples[0].read_bytes()) == expected["blob_sha256"]
    if "legacy" in name:
        mask = samples[0].training_metadata.decode_xseg_mask()
        assert mask.shape[2] == 1 and mask.mean() == 1
