"""The ``util`` and ``facesettool`` steps, as functions and from the command line."""

import io
import os
import struct
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest

import main as program
from core.console import interact
from core.errors import FormatError, NothingToDo, UserError
from core.files.imageio import encode_image, read_bgr, read_image
from core.pickles import safe_pickle
from samplelib.faces import aligned_face
from samplelib.faces.enhance_faceset import enhance_faceset
from samplelib.faces.mask_export import exported_mask
from samplelib.faces.metadata import read_metadata_file, restore_faceset_metadata, save_faceset_metadata
from samplelib.faces.original_names import Renaming, apply_renamings, plan_original_names, recover_original_names
from samplelib.faces.originals_exchange import ask_before_loss, prepare_output_folder
from samplelib.faceset import load_faceset
from samplelib.packs import packed_faceset

ROOT = Path(__file__).parents[2]
KIT = ROOT / "tests" / "golden" / "formats"
NAMES = ["00001_0.jpg", "00002_0.jpg", "00003_0.jpg", "00004_0.jpg"]


@pytest.fixture
def folder(tmp_path):
    """A folder ``aligned`` with the four faces of the kit."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes((KIT / "aligned" / name).read_bytes())
    return folder


def main(*arguments, answers="", expect=0):
    """Run ``main.py`` in this process; returns all that it printed."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(output):
        patch.setattr(sys, "stdin", io.StringIO(answers))
        try:
            code = program.main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = leaving.code
    interact.configure(assume_yes=False)
    assert code == expect, output.getvalue()
    assert "Traceback" not in output.getvalue()
    return output.getvalue()


def main_in_a_process(*arguments, answers="", expect=0):
    """The same through a new process, as users run it."""
    command = [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
    result = subprocess.run(command, input=answers, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert result.returncode == expect, result.stdout + result.stderr
    return result.stdout + result.stderr


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- facesets


def test_loose_faceset(folder, capsys):
    (folder / "note.png").write_bytes(encode_image(np.zeros((4, 4, 3), np.uint8), ".png"))
    (folder / "empty.jpg").write_bytes(b"")
    samples = load_faceset(folder)
    assert [sample.name for sample in samples] == NAMES
    assert samples[2].read_bgr().shape == (64, 64, 3) and samples[3].shape == (96, 112, 3)
    assert samples[1].metadata == aligned_face.read_metadata(folder / NAMES[1]) == samples[1].training_metadata
    errors = capsys.readouterr().err
    assert "note.png is not a DFL image file" in errors and "empty.jpg: is empty" in errors


def test_packed_faceset_wins_and_empty_ones_say_so(folder):
    (folder / "faceset.pak").write_bytes((KIT / "release_env" / "faceset.pak").read_bytes())
    assert [sample.name for sample in load_faceset(folder)] == ["00001_0.jpg", "00005_0.jpg"]
    empty = folder.parent / "empty"
    empty.mkdir()
    assert load_faceset(empty, allow_empty=True) == []
    with pytest.raises(NothingToDo, match="no face pictures found"):
        load_faceset(empty)
    with pytest.raises(UserError, match="no such folder"):
        load_faceset(folder / "missing")


def test_frames_beyond_99999_stay_in_order(folder):
    for name in ("99999_0.jpg", "100000_0.jpg", "100001_0.jpg"):
        (folder / name).write_bytes((folder / NAMES[0]).read_bytes())
    assert [sample.name for sample in load_faceset(folder)][-3:] == ["99999_0.jpg", "100000_0.jpg", "100001_0.jpg"]


# --- packs


def test_pack_reports_what_it_leaves_and_deletes_only_what_is_inside(folder):
    (folder / "holiday.jpg").write_bytes(encode_image(np.zeros((8, 8, 3), np.uint8), ".jpg"))
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    packed = packed_faceset.pack_faceset(folder)
    assert [path.name for path in packed.left_out] == ["holiday.jpg"]
    assert {name: data for name, data in contents(folder).items() if name != "faceset.pak"} == before
    packed_faceset.delete_originals(packed)
    assert sorted(contents(folder)) == ["faceset.pak", "holiday.jpg", "notes.txt"]
    assert packed_faceset.unpack_faceset(folder) == 4
    assert contents(folder) == before


def test_a_file_changed_after_packing_is_not_deleted(folder):
    packed = packed_faceset.pack_faceset(folder)
    (folder / NAMES[0]).write_bytes((folder / NAMES[1]).read_bytes())
    with pytest.raises(FormatError, match="as it is now; pack again"):
        packed_faceset.delete_originals(packed)
    assert all((folder / name).exists() for name in NAMES)


def test_a_damaged_pack_is_never_replaced(folder):
    (folder / "faceset.pak").write_bytes(b"old")
    before = contents(folder)
    with pytest.raises(FormatError, match="faceset.pak: is cut off, or no packed faceset"):
        packed_faceset.pack_faceset(folder)
    assert contents(folder) == before


def test_nothing_to_pack(tmp_path):
    with pytest.raises(NothingToDo):
        packed_faceset.pack_faceset(tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("filename", "person"),
    [("../x.jpg", None), ("/tmp/x.jpg", None), ("a/b.jpg", None), ("..\\x.jpg", None), ("x.jpg", ".."), ("x.jpg", "a/b"),
     ("x.jpg", "C:"), ("", None), ("a\0.jpg", None), ("x" * 300 + ".jpg", None), ("run.sh", None), ("x.jpg", "a\nb")],
)  # fmt: skip
def test_unpacking_stays_inside(filename, person, folder):
    data = (KIT / "variants" / "pak_plain_ints" / "faceset.pak").read_bytes()
    config_size = struct.unpack_from("<QQ", data)[1]
    config = safe_pickle.loads(data[16 : 16 + config_size], "kit", safe_pickle.PACK_CLASSES)
    config[1].update(filename=filename, person_name=person)
    new = safe_pickle.dumps(config)
    (folder / "faceset.pak").write_bytes(struct.pack("<QQ", 1, len(new)) + new + data[16 + config_size :])
    before = contents(folder.parent)
    with pytest.raises(FormatError, match="faceset.pak: .*nothing was unpacked"):
        packed_faceset.unpack_faceset(folder, lambda files: True)
    assert contents(folder.parent) == before


def test_unpacking_the_traversal_pack_of_the_kit(folder):
    (folder / "faceset.pak").write_bytes((KIT / "variants" / "pak_path_traversal" / "faceset.pak").read_bytes())
    before = contents(folder.parent)
    main("util", "--input-dir", folder, "--unpack-faceset", expect=1)
    assert contents(folder.parent) == before


def test_unpacking_does_not_overwrite_silently(folder):
    packed_faceset.pack_faceset(folder)
    packed_faceset.unpack_faceset(folder)
    packed_faceset.pack_faceset(folder)
    (folder / NAMES[0]).write_bytes(b"edited")
    with pytest.raises(UserError, match="00001_0.jpg. Move them away"):
        packed_faceset.unpack_faceset(folder)
    assert (folder / NAMES[0]).read_bytes() == b"edited" and (folder / "faceset.pak").exists()
    assert packed_faceset.unpack_faceset(folder, lambda files: files == [folder / NAMES[0]]) == 4
    assert contents(folder) == {name: (KIT / "aligned" / name).read_bytes() for name in NAMES}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_unpacking_does_not_follow_links(folder):
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    target = folder.parent / "outside.jpg"
    target.write_bytes(b"mine")
    (folder / NAMES[0]).symlink_to(target)
    with pytest.raises(UserError, match="a link or folder is in the way"):
        packed_faceset.unpack_faceset(folder, lambda files: True)
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    "damage", ["version", "config", "table", "short", "offsets", "no list", "no name", "duplicate"]
)
def test_damaged_packs_are_named(damage, folder):
    data = (KIT / "pak_flat" / "faceset.pak").read_bytes()
    size = struct.unpack_from("<QQ", data)[1]
    table = 16 + size
    data = {
        "version": struct.pack("<Q", 2) + data[8:],
        "config": data[:8] + struct.pack("<Q", 1 << 50) + data[16:],
        "table": data[: table + 12],
        "short": data[:7],
        "offsets": data[:table] + struct.pack("<Q", 1 << 60) + data[table + 8 :],
        "no list": struct.pack("<QQ", 1, 4) + b"\x80\x04}." + b"\0" * 8,
        "no name": struct.pack("<QQ", 1, 6) + b"\x80\x04]}a." + b"\0" * 16,
        "duplicate": data[:16] + data[16:table].replace(b"00002_0.jpg", b"00001_0.jpg") + data[table:],
    }[damage]
    path = folder / "faceset.pak"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        packed_faceset.unpack_faceset(folder, lambda files: True)
    assert str(caught.value).startswith(str(path)) and path.read_bytes() == data
    if damage != "duplicate":
        with pytest.raises(FormatError):
            load_faceset(folder)


def test_old_polygon_objects_in_a_pack():
    def text(value):
        return b"\x8c" + bytes((len(value),)) + value.encode()

    def made(name, **attributes):
        state = b"".join(text(key) + value for key, value in attributes.items())
        return text("core.imagelib.SegIEPolys") + text(name) + b"\x93)\x81}(" + state + b"ub"

    kind = text("core.imagelib.SegIEPolys") + text("SegIEPolyType") + b"\x93K\x01\x85R"
    points = safe_pickle.dumps([[1.0, 2.0], [3.0, 4.0]])[2:-1]
    polygons = made("SegIEPolys", polys=b"]" + made("SegIEPoly", type=kind, pts=points) + b"a")
    config = b"\x80\x04]}(" + text("filename") + text("a.jpg") + text("seg_ie_polys") + polygons + b"ua."
    value = safe_pickle.loads(config, "pack", safe_pickle.PACK_CLASSES)
    (polygon,) = aligned_face.polygons_from_stored(value[0]["seg_ie_polys"])
    assert polygon.include and polygon.points.tolist() == [[1, 2], [3, 4]]


def test_enum_written_by_name():
    body = b"\x80\x04cbuiltins\ngetattr\n\x8c\x12facelib.FaceType\x8c\x08FaceType\x93\x8c\nWHOLE_FACE\x86R."
    body = body.replace(b"\x8c\x12facelib", b"\x8c\x10facelib")
    assert safe_pickle.loads(body, "pack", safe_pickle.PACK_CLASSES) == 4


# --- meta.dat


def test_metadata_is_restored_at_the_old_size(folder, capsys):
    before = {name: aligned_face.read_header(folder / name) for name in NAMES}
    save_faceset_metadata(folder)
    large = cv2.resize(read_image(folder / NAMES[0]), (300, 300))
    (folder / NAMES[0]).write_bytes(encode_image(large, ".jpg"))
    (folder / NAMES[1]).unlink()
    (folder / "00002_0.png").write_bytes(encode_image(np.zeros((90, 70, 4), np.uint8), ".png"))
    untouched = (folder / NAMES[2]).read_bytes()
    (folder / "new.jpg").write_bytes(encode_image(large, ".jpg"))
    assert restore_faceset_metadata(folder) == (4, [])
    assert {name: aligned_face.read_header(folder / name) for name in NAMES} == before
    assert (folder / NAMES[2]).read_bytes() == untouched, "a grey picture of the right size is not encoded again"
    assert not (folder / "meta.dat").exists() and (folder / "00002_0.png").exists()
    assert "No saved metadata for new.jpg" in capsys.readouterr().out


def test_metadata_stays_when_a_picture_is_missing_or_broken(folder, capsys):
    save_faceset_metadata(folder)
    (folder / NAMES[0]).unlink()
    (folder / NAMES[1]).write_bytes(b"broken")
    restored, left = restore_faceset_metadata(folder)
    assert (restored, left) == (2, NAMES[:2]) and (folder / "meta.dat").exists()
    assert (folder / NAMES[1]).read_bytes() == b"broken"
    errors = capsys.readouterr().err
    assert (
        "00001_0.jpg: the picture is not there any more" in errors and "00002_0.jpg: is not a readable image" in errors
    )


@pytest.mark.parametrize("kind", [".webp", ".bmp", ".jp2", ".tif", ".ppm", ".JPEG", ".WEBP", ".jpg.webp", ".jpg.bmp"])
def test_metadata_is_restored_into_a_picture_that_an_editor_saved_in_another_format(folder, kind):
    before = {name: aligned_face.read_header(folder / name) for name in NAMES}
    save_faceset_metadata(folder)
    picture = read_image(folder / NAMES[0])
    (folder / NAMES[0]).unlink()
    saved = folder / f"00001_0{kind}"
    saved.write_bytes(encode_image(picture, f".{kind.split('.')[-1]}"))
    output = main("util", "--input-dir", folder, "--restore-faceset-metadata")
    assert "Restored: 4" in output and not (folder / "meta.dat").exists() and saved.exists()
    assert {name: aligned_face.read_header(folder / name) for name in NAMES} == before
    assert np.abs(read_image(folder / NAMES[0]).astype(int) - picture).mean() < 8


@pytest.mark.parametrize("kind", [".webp", ".bmp", ".png"])
def test_metadata_is_restored_into_another_format_under_the_old_name(folder, kind):
    before = {name: aligned_face.read_header(folder / name) for name in NAMES}
    save_faceset_metadata(folder)
    (folder / NAMES[0]).write_bytes(encode_image(read_image(folder / NAMES[0]), kind))
    assert restore_faceset_metadata(folder) == (4, [])
    assert {name: aligned_face.read_header(folder / name) for name in NAMES} == before
    assert (folder / NAMES[0]).read_bytes()[:2] == b"\xff\xd8"


def test_of_several_formats_the_newest_is_restored_and_one_beside_the_picture_is_named(folder):
    save_faceset_metadata(folder)
    white = np.full((96, 96, 3), 255, np.uint8)
    (folder / NAMES[0]).unlink()
    for number, (kind, image) in enumerate(((".bmp", white), (".png", white * 0), (".webp", white // 2))):
        (folder / f"00001_0{kind}").write_bytes(encode_image(image, kind))
        os.utime(folder / f"00001_0{kind}", (1000 + number % 2, 1000 + number % 2))
    (folder / "00002_0.webp").write_bytes(encode_image(white, ".webp"))
    output = main("util", "--input-dir", folder, "--restore-faceset-metadata")
    assert read_image(folder / NAMES[0]).max() < 10
    assert "00002_0.webp lies beside 00002_0.jpg and is not used" in output


def test_a_format_that_cannot_be_read_is_named_with_what_to_do(folder):
    save_faceset_metadata(folder)
    (folder / NAMES[0]).unlink()
    (folder / "00001_0.psd").write_bytes(b"8BPS\0\1" + bytes(90))
    output = main("util", "--input-dir", folder, "--restore-faceset-metadata", expect=1)
    assert "was saved as 00001_0.psd, which cannot be read. Save it as png or jpg" in output
    assert (folder / "meta.dat").exists() and (folder / "00001_0.psd").exists()


def test_metadata_does_not_go_into_pictures_that_were_renamed_since(folder):
    save_faceset_metadata(folder)
    one, two = folder / NAMES[0], folder / NAMES[1]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second), two.write_bytes(first)
    restored, left = restore_faceset_metadata(folder)
    assert left == NAMES[:2] and (one.read_bytes(), two.read_bytes()) == (second, first)


def test_saving_metadata_again_keeps_that_of_pictures_which_lost_theirs(folder, capsys):
    before = {name: aligned_face.read_header(folder / name) for name in NAMES}
    save_faceset_metadata(folder)
    (folder / NAMES[0]).write_bytes(encode_image(read_image(folder / NAMES[0]), ".jpg"))
    save_faceset_metadata(folder)
    assert "1 picture has no face data now" in capsys.readouterr().out
    assert restore_faceset_metadata(folder) == (4, [])
    assert {name: aligned_face.read_header(folder / name) for name in NAMES} == before


def test_a_damaged_metadata_file_is_not_replaced(folder):
    (folder / "meta.dat").write_bytes(b"damaged")
    with pytest.raises(FormatError, match="meta.dat"):
        save_faceset_metadata(folder)
    assert (folder / "meta.dat").read_bytes() == b"damaged"


def test_metadata_file_that_is_missing_or_escapes(folder):
    with pytest.raises(UserError, match="meta.dat: no such file"):
        restore_faceset_metadata(folder)
    entry = ((8, 8, 3), {"landmarks": [[0.0, 1.0]] * 68})
    for name in ("../x.jpg", "/x.jpg", "a/b.jpg", "..", "", "a\\b.jpg"):
        (folder / "meta.dat").write_bytes(safe_pickle.dumps({name: entry}))
        with pytest.raises(FormatError, match="not in its folder"):
            read_metadata_file(folder / "meta.dat")
    for shape in ((8,), "ab", (0, 8, 3), (10**9, 8, 3), None):
        (folder / "meta.dat").write_bytes(safe_pickle.dumps({"x.jpg": (shape, entry[1])}))
        with pytest.raises(FormatError, match="'x.jpg' has no usable shape"):
            read_metadata_file(folder / "meta.dat")


# --- names


def test_names_follow_the_frames(folder):
    sources = {}
    for number, (name, source) in enumerate(zip(NAMES, ["b.png", "a.png", "b.jpg", "имя кадра.tif"])):
        path = folder / f"{number:05d}.jpg"
        (folder / name).rename(path)
        aligned_face.write_metadata(path, aligned_face.read_metadata(path).replace(source_filename=source))
        sources[path.read_bytes()] = number
    (folder / "b_0.jpg").write_bytes(encode_image(np.zeros((4, 4, 3), np.uint8), ".jpg"))
    assert recover_original_names(folder) == 4
    found = {path.name: sources.get(path.read_bytes()) for path in folder.glob("*.jpg")}
    assert found == {"b_0.jpg": None, "b_1.jpg": 0, "a_0.jpg": 1, "b_2.jpg": 2, "имя кадра_0.jpg": 3}
    assert recover_original_names(folder) == 4
    assert {path.name: sources.get(path.read_bytes()) for path in folder.glob("*.jpg")} == found


def test_names_that_swap_or_cannot_be_used(tmp_path):
    plan = plan_original_names(
        [(tmp_path / "x_1.jpg", "x.png"), (tmp_path / "x_0.jpg", "x.png"), (tmp_path / "y.jpg", None),
         (tmp_path / "z.jpg", "../../etc/passwd"), (tmp_path / "w.jpg", "a:b.png"), (tmp_path / "v.jpg", "C:\\f\\g.png")],
        {"x_1.jpg", "x_0.jpg", "y.jpg", "z.jpg", "w.jpg", "v.jpg"},
    )  # fmt: skip
    assert [item.new_name for item in plan] == ["x_0.jpg", "x_1.jpg", "passwd_0.jpg", "g_0.jpg"]
    (tmp_path / "a.jpg").write_text("1")
    (tmp_path / "b.jpg").write_text("2")
    apply_renamings([Renaming(tmp_path / "a.jpg", "b.jpg"), Renaming(tmp_path / "b.jpg", "a.jpg")])
    assert ((tmp_path / "a.jpg").read_text(), (tmp_path / "b.jpg").read_text()) == ("2", "1")
    (tmp_path / "c.jpg").write_text("3")
    with pytest.raises(UserError, match="nothing was renamed"):
        apply_renamings([Renaming(tmp_path / "a.jpg", "d.jpg"), Renaming(tmp_path / "b.jpg", "c.jpg")])
    assert {path.name: path.read_text() for path in tmp_path.glob("*.jpg")} == {
        "a.jpg": "2",
        "b.jpg": "1",
        "c.jpg": "3",
    }


# --- masks


def test_exported_masks():
    shape, metadata = aligned_face.read_header(KIT / "aligned" / NAMES[1])
    mask = exported_mask(metadata, shape)
    assert mask.shape == (256, 256) and set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(mask == 255, metadata.decode_xseg_mask()[:, :, 0] >= 0.5)
    assert exported_mask(metadata, shape, at_image_size=True).shape == (128, 128)
    labels = exported_mask(metadata.with_xseg_mask(None), shape)
    assert labels.shape == (128, 128) and abs(np.count_nonzero(labels) - 8518) <= 8
    assert exported_mask(metadata.replace(xseg_mask=None, polygons=()), shape) is None


# --- enhancing


def test_enhancing_keeps_size_and_metadata(folder, tmp_path, capsys):
    (folder / "plain.jpg").write_bytes(encode_image(np.zeros((8, 8, 3), np.uint8), ".jpg"))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    output = tmp_path / "out"
    output.mkdir()
    seen = []

    def enhance(image):
        seen.append((image.dtype, float(image.max()) <= 1))
        return image * 2 - 0.2

    written, failed = enhance_faceset(folder, output, enhance)
    assert [path.name for path in written] == NAMES and failed == 1
    assert seen == [(np.float32, True)] * 4
    for name in NAMES:
        assert aligned_face.read_header(output / name) == aligned_face.read_header(folder / name)
    assert "plain.jpg is not a DFL image" in capsys.readouterr().err


def test_old_output_is_deleted_only_after_a_yes(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    interact.configure(assume_yes=False)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="holds images of an earlier run"):
        prepare_output_folder(tmp_path)
    assert (tmp_path / "a.jpg").exists() and not ask_before_loss("Delete?", None, "--flag")
    interact.configure(assume_yes=True)
    prepare_output_folder(tmp_path)
    assert not (tmp_path / "a.jpg").exists() and ask_before_loss("Delete?", None, "--flag")
    interact.configure(assume_yes=False)
    assert ask_before_loss("Delete?", True, "--flag") and not ask_before_loss("Delete?", False, "--flag")


# --- command line


def test_enhance_without_weights_touches_nothing(folder, tmp_path, monkeypatch):
    from facelib import weights

    monkeypatch.setattr(weights, "find_weights", lambda name: None)
    before = contents(folder.parent)
    output = main("facesettool", "enhance", "--input-dir", folder, "--cpu-only", expect=1)
    assert "FaceEnhancer.npy" in output and contents(folder.parent) == before


def test_enhance_from_the_command_line(folder, monkeypatch):
    from core import device_choice
    from core.engines import Place
    from facelib import enhancer, weights

    class Brighter:
        def __init__(self, path, place):
            assert path == "weights" and place == Place(device="GPU:0")

        def enhance(self, image):
            return image * 0.5 + 0.5

    devices = []
    monkeypatch.setattr(weights, "find_weights", lambda name: "weights")
    monkeypatch.setattr(enhancer, "FaceEnhancer", Brighter)
    monkeypatch.setattr(device_choice, "choose_devices", lambda *arguments, **rest: devices.append(arguments) or [0, 1])
    before = {name: aligned_face.read_header(folder / name) for name in NAMES}
    output = main("facesettool", "enhance", "--input-dir", folder, "--force-gpu-idxs", "0,1", "--merge")
    assert "Processed: 4" in output and devices == [(False, [0, 1])]
    assert {name: aligned_face.read_header(folder / name) for name in NAMES} == before
    assert all(read_image(folder / name).mean() > 127 for name in NAMES)
    assert not (folder.parent / "aligned_enhanced").exists()


def test_enhanced_faces_are_a_second_folder_of_the_same_faces(folder, monkeypatch):
    """With the real enhancer around a network that only flattens and brightens: 0...1 becomes 0.375...0.875."""
    from core import device_choice
    from facelib import enhancer, weights

    class Flattening(enhancer.FaceEnhancer):
        def __init__(self, path, place):
            pass

        def _apply(self, patches):
            assert patches.shape[1:] == (192, 192, 3) and patches.min() >= -1
            return (patches * 0.5 + 0.25).repeat(4, axis=1).repeat(4, axis=2)

    monkeypatch.setattr(weights, "find_weights", lambda name: "weights")
    monkeypatch.setattr(enhancer, "FaceEnhancer", Flattening)
    monkeypatch.setattr(device_choice, "choose_devices", lambda *arguments, **rest: [])
    (folder / "notes.txt").write_text("mine")
    (folder / "plain.jpg").write_bytes(encode_image(np.zeros((8, 8, 3), np.uint8), ".jpg"))
    before = contents(folder)
    output = main("facesettool", "enhance", "--input-dir", folder, "--no-merge")
    enhanced = folder.parent / "aligned_enhanced"
    assert f"Processed: 4\nThe new pictures are in {enhanced}" in output and "plain.jpg is not a DFL image" in output
    assert contents(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["aligned", "aligned_enhanced"]
    assert sorted(path.name for path in enhanced.iterdir()) == NAMES
    for name in NAMES:
        old, new = read_bgr(folder / name).astype(float), read_bgr(enhanced / name).astype(float)
        assert new.shape == old.shape
        assert new.mean() == pytest.approx(0.5 * old.mean() + 0.375 * 255, abs=2)
        assert np.corrcoef(cv2.blur(old, (5, 5)).ravel(), cv2.blur(new, (5, 5)).ravel())[0, 1] > 0.95
        assert aligned_face.read_header(enhanced / name) == aligned_face.read_header(folder / name)
    assert any(aligned_face.read_metadata(enhanced / name).polygons for name in NAMES)
    assert any(aligned_face.read_metadata(enhanced / name).xseg_mask is not None for name in NAMES)


def test_fetching_weights_needs_no_folder(monkeypatch):
    from facelib import weights

    called = []
    monkeypatch.setattr(weights, "fetch_weights", lambda: called.append(True))
    main("util", "--fetch-weights")
    assert called == [True]


def test_util_actions_in_one_run(folder):
    output = main_in_a_process(
        "util", "--input-dir", folder, "--add-landmarks-debug-images", "--recover-original-aligned-filename",
        "--save-faceset-metadata", "--export-faceset-mask",
    )  # fmt: skip
    assert "Masks exported: 2, pictures without a mask: 2" in output and "Done." in output
    found = set(contents(folder))
    assert found == {
        *NAMES,
        *(name.replace(".", "_debug.") for name in NAMES),
        "00002_0_mask.jpg",
        "00003_0_mask.jpg",
        "meta.dat",
    }
    drawn, plain = (read_image(folder / name).astype(int) for name in ("00001_0_debug.jpg", "00001_0.jpg"))
    assert drawn.shape == (96, 96, 3)
    places = np.ones((96, 96), np.uint8)
    for x, y in np.rint(aligned_face.read_metadata(folder / "00001_0.jpg").landmarks).astype(int):
        cv2.circle(places, (int(x), int(y)), 1, 0, -1)
    distance, changes = cv2.distanceTransform(places, cv2.DIST_L2, 5), np.abs(drawn - plain).max(axis=2)
    assert changes[distance == 0].mean() > 80 > 4 * changes[distance > 16].mean(), "the landmarks are drawn"
    assert (folder / "00001_0_debug.jpg").stat().st_size < 3000
    output = main("util", "--input-dir", folder, "--restore-faceset-metadata")
    assert "Restored: 4" in output and not (folder / "meta.dat").exists()
    assert {name: data for name, data in contents(folder).items() if name in NAMES} == {
        name: (KIT / "aligned" / name).read_bytes() for name in NAMES
    }


def test_pack_and_unpack_from_the_command_line(folder):
    before = contents(folder)
    output = main("util", "--input-dir", folder, "--pack-faceset")
    assert "Delete original files?" in output and sorted(contents(folder)) == [*NAMES, "faceset.pak"], "nobody said yes"
    pack = (folder / "faceset.pak").read_bytes()
    output = main("util", "--input-dir", folder, "--pack-faceset")
    assert "holds all 4 face pictures of the folder already" in output and (folder / "faceset.pak").read_bytes() == pack
    main("util", "--input-dir", folder, "--pack-faceset", answers="y\n")
    assert sorted(contents(folder)) == ["faceset.pak"]
    for action in ("--save-faceset-metadata", "--export-faceset-mask", "--add-landmarks-debug-images"):
        assert "Unpack it first" in main("util", "--input-dir", folder, action, expect=1)
    assert "Unpack it first" in main("facesettool", "resize", "--input-dir", folder, "--image-size", "128", expect=1)
    main("util", "--input-dir", folder, "--unpack-faceset")
    assert contents(folder) == before
    assert "nothing to unpack" in main("util", "--input-dir", folder, "--unpack-faceset", expect=3)


def test_person_faceset_from_the_command_line(folder):
    for person, name in (("alice", NAMES[0]), ("Боб", NAMES[1])):
        (folder / person).mkdir()
        (folder / name).rename(folder / person / name)
    (folder / "Боб" / "notes.txt").write_text("mine")
    before = contents(folder)
    output = main_in_a_process("util", "--input-dir", folder, "--pack-faceset", answers="y\ny\n")
    assert "2 subdirectories found, process as person faceset?" in output
    assert sorted(contents(folder)) == [NAMES[2], NAMES[3], "faceset.pak", "Боб/notes.txt"]
    assert not (folder / "alice").exists()
    persons = [(sample.person_name, sample.name) for sample in load_faceset(folder)]
    assert persons == [("alice", NAMES[0]), ("Боб", NAMES[1])]
    main("util", "--input-dir", folder, "--unpack-faceset")
    assert contents(folder) == before


def test_resize_from_the_command_line(folder):
    before = contents(folder)
    output = main_in_a_process("facesettool", "resize", "--input-dir", folder, answers="64\nf\nn\n", expect=1)
    assert "[512] New image size ( 128-2048 ) : " in output and "128" in output
    assert "[same] Change face type ( h/mf/f/wf/head/same ) : " in output
    assert "Merge " in output and "/aligned_resized to " in output
    assert contents(folder) == before
    shapes = {path.name: aligned_face.read_header(path) for path in (folder.parent / "aligned_resized").iterdir()}
    assert sorted(shapes) == NAMES[:3], "the picture that only marks a face is named and left"
    assert all(shape == (128, 128, 3) and data.face_type == "full_face" for shape, data in shapes.values())
    output = main("facesettool", "resize", "--input-dir", folder, "--image-size", 128, "--face-type", "f", expect=1)
    assert "holds images of an earlier run" in output
    main("facesettool", "resize", "--input-dir", folder, "--image-size", 128, "--face-type", "f", "--yes", expect=1)
    assert not (folder.parent / "aligned_resized").exists()
    assert {path.name: aligned_face.read_header(path) for path in folder.iterdir() if path.name != NAMES[3]} == shapes


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["util"], 0, "at least one action"),
        (["util", "--pack-faceset"], 2, "--input-dir is missing"),
        (["util", "--input-dir", "{missing}", "--pack-faceset"], 1, "no such folder"),
        (["util", "--input-dir", "{empty}", "--pack-faceset"], 3, "no face pictures to pack"),
        (["util", "--input-dir", "{empty}", "--save-faceset-metadata"], 3, "no images found"),
        (["util", "--input-dir", "{empty}", "--restore-faceset-metadata"], 1, "meta.dat: no such file"),
        (["facesettool", "resize", "--input-dir", "{empty}"], 3, "no images found"),
        (["facesettool", "resize"], 2, "--input-dir"),
        (["facesettool"], 0, "resize"),
        (["facesettool", "resize", "--input-dir", "{empty}", "--face-type", "x"], 2, "invalid choice"),
    ],
)
def test_mistakes_are_one_line(arguments, code, text, tmp_path):
    (tmp_path / "empty").mkdir()
    places = {"missing": tmp_path / "missing", "empty": tmp_path / "empty"}
    output = main(*[argument.format(**places) for argument in arguments], expect=code)
    assert text in output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]
