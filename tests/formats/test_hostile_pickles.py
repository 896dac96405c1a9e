"""No file of any kind runs code, takes memory or hangs: one line names the file."""

import os
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hostile_pickles import COMMAND, array, dtype, hostile_pickles, named, text

from core.errors import FormatError
from core.files.imageio import encode_image
from core.networks.weight_files import read_weights
from core.pickles import safe_pickle
from merger.interactive.session_import import read_session
from models.saved.model_files import read_default_options, read_model_data
from samplelib.faces import aligned_face
from samplelib.faces.metadata import read_metadata_file
from samplelib.packs import reading

MARKER = COMMAND.split()[-1]
MEBIBYTE = 1 << 20
PICKLES = dict(hostile_pickles())
JPEG = encode_image(np.zeros((64, 64, 3), np.uint8), ".jpg")


def jpeg_with(body):
    return JPEG[:20] + b"\xff\xef" + struct.pack(">H", len(body) + 2) + body + JPEG[20:]


def pack_with(body):
    return struct.pack("<QQ", 1, len(body)) + body + struct.pack("<QQ", 0, 0)


CONTAINERS = {
    "face.jpg": (jpeg_with, aligned_face.read_header),
    "faceset.pak": (pack_with, reading.open_pack),
    "meta.dat": (bytes, read_metadata_file),
    "x_SAEHD_data.dat": (bytes, read_model_data),
    "SAEHD_default_options.dat": (bytes, read_default_options),
    "x_SAEHD_encoder.npy": (bytes, read_weights),
    "x_SAEHD_merger_session.dat": (bytes, read_session),
}


def read_and_watch(path, read, capsys):
    """The one line that reading gives; fails on side effects, on memory over 256 MiB and on more than 10 seconds."""
    assert not os.path.exists(MARKER)
    tracemalloc.start()
    start = time.process_time()
    try:
        result = read(path)
        lines = capsys.readouterr().err.strip()
        assert result in (((64, 64, 3), None), {}), "nothing of it may be used"
    except FormatError as error:
        lines = str(error)
    seconds = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not os.path.exists(MARKER), "it ran code"
    assert peak < 256 * MEBIBYTE and seconds < 10
    return lines


def test_there_are_many():
    assert len(PICKLES) >= 30


@pytest.mark.parametrize("container", CONTAINERS)
def test_one_clear_line_for_each(container, tmp_path, capsys):
    wrap, read = CONTAINERS[container]
    path = tmp_path / container
    for name, body in PICKLES.items():
        if container.endswith(".jpg"):
            body = body[: aligned_face.jpeg_segments.LARGEST_BODY]
            if not body:
                continue  # an empty segment is no pickle
        path.write_bytes(wrap(body))
        lines = read_and_watch(path, read, capsys)
        assert str(path) in lines and len(lines.splitlines()) == 1 and "Traceback" not in lines, name


@pytest.mark.parametrize("wanted", ["os.system", "builtins.eval", "subprocess.Popen", "numpy.load"])
def test_the_line_names_what_was_asked_for(wanted, tmp_path):
    module, _, name = wanted.rpartition(".")
    path = tmp_path / "meta.dat"
    path.write_bytes(b"\x80\x04" + named(module, name) + b")R.")
    with pytest.raises(safe_pickle.UnsafePickle, match=wanted):
        read_metadata_file(path)


@pytest.mark.parametrize(
    "unit",
    [
        b"]",
        b"}",
        b"N",
        b"M\x00\x01",
        b")\x85",
        b"G" + b"\x40" * 8,
        b"](K\x01e",
        b"X\0\0\0\0",
        b"]G" + b"\x40" * 8 + b"a",
        b"]\x94G" + b"\x40" * 8 + b"a",
        b"](G" + b"\x40" * 8 + b"G" + b"\x40" * 8 + b"e",
        b"]q\x05(G" + b"\x40" * 8 + b"e",
    ],
)
def test_large_files_of_small_parts_stay_in_proportion(unit, tmp_path, capsys):
    path = tmp_path / "meta.dat"
    path.write_bytes(b"\x80\x04](" + unit * (MEBIBYTE // len(unit)) + b"e.")
    assert str(path) in read_and_watch(path, read_metadata_file, capsys)


def test_a_session_object_gets_only_attributes(tmp_path):
    body = b"\x80\x04" + named("merger.FrameInfo", "FrameInfo") + b")\x81}" + text("__class__") + text("os") + b"sb."
    value = safe_pickle.loads(body, "session", safe_pickle.SESSION_CLASSES)
    assert type(value) is safe_pickle.Holder and value.attributes == {"__class__": "os"}
    with pytest.raises(safe_pickle.UnsafePickle):
        safe_pickle.loads(body, "pack", safe_pickle.PACK_CLASSES)


def test_protocol_3_names_a_nested_class_through_getattr():
    frame = named("merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor") + text("Frame") + b"\x86R"
    body = b"\x80\x03" + b"cbuiltins\ngetattr\n" + frame + b")\x81."
    assert safe_pickle.loads(body, "session", safe_pickle.SESSION_CLASSES).class_name == "Frame"


@pytest.mark.parametrize("size", [(30000, 30000), (65000, 65000)])
def test_a_mask_of_absurd_size_is_not_decoded(size):
    png = encode_image(np.zeros((8, 8), np.uint8), ".png")
    bomb = png[:16] + struct.pack(">II", *size) + png[24:]
    jpeg = encode_image(np.zeros((8, 8), np.uint8), ".jpg")
    place = jpeg.index(b"\xff\xc0") + 5
    other = jpeg[:place] + struct.pack(">HH", *size) + jpeg[place + 4 :]
    for data in (bomb, other):
        metadata = aligned_face.FaceMetadata("whole_face", np.zeros((68, 2)), xseg_mask=data)
        tracemalloc.start()
        with pytest.raises(FormatError, match="megapixels; the limit is 16"):
            metadata.decode_xseg_mask()
        assert tracemalloc.get_traced_memory()[1] < MEBIBYTE
        tracemalloc.stop()


def test_an_unsafe_segment_survives_a_save(tmp_path, capsys):
    body = PICKLES["os.system"]
    path = tmp_path / "face.jpg"
    path.write_bytes(jpeg_with(body))
    assert aligned_face.read_metadata(path) is None
    metadata = aligned_face.FaceMetadata("whole_face", np.ones((68, 2)))
    aligned_face.write_metadata(path, metadata)
    assert body in path.read_bytes() and aligned_face.read_metadata(path) == metadata
    assert capsys.readouterr().err.count("os.system") == 1


def test_values_that_are_not_what_they_must_be(tmp_path, capsys):
    """Well-formed pickles with wrong content are refused by the readers of each container, too."""
    landmarks = array((68, 2), dtype("f8"), np.full(136, np.nan).tobytes())
    entry = b"}(" + text("landmarks") + landmarks + b"u"
    path = tmp_path / "face.jpg"
    path.write_bytes(jpeg_with(b"\x80\x04" + entry + b"."))
    assert aligned_face.read_metadata(path) is None
    assert "landmarks are not (68, 2) finite numbers" in capsys.readouterr().err
