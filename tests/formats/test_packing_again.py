"""A faceset packed a second time, beside a pack or after a kill, keeps every face that was ever in the folder."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fault_injection import at_every_moment
from test_faceset_steps import contents, main

from core.errors import FormatError, UserError
from core.pickles import safe_pickle
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, read_metadata, save_face, write_metadata
from samplelib.faces.jpeg_segments import is_complete
from samplelib.faceset import load_faceset
from samplelib.packs import packed_faceset, reading

ROOT = Path(__file__).parents[2]
KIT = ROOT / "tests" / "golden" / "formats"


def put_face(path, number):
    """A small face picture unlike all others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    metadata = FaceMetadata("whole_face", random.uniform(5, 27, (68, 2)), f"{number:05d}.png")
    save_face(path, random.integers(0, 256, (32, 32, 3), np.uint8), metadata)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "aligned"
    for number in range(8):
        put_face(folder / f"{number:05d}_0.jpg", number)
    return folder


def packed(folder):
    """Person, name and bytes of every picture in the pack."""
    entries = reading.read_pack(folder / "faceset.pak")
    return {(entry.person_name, entry.filename): entry.read_bytes() for entry in entries}


def loose(folder):
    return {(None, path.name): path.read_bytes() for path in folder.glob("*.jpg")}


def test_one_new_face_joins_the_pack(folder):
    before = loose(folder)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", "--yes")
    new = put_face(folder / "00100_0.jpg", 100).read_bytes()
    output = main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", "--yes")
    assert packed(folder) == {**before, (None, "00100_0.jpg"): new}
    assert sorted(path.name for path in folder.iterdir()) == ["faceset.pak"]
    assert "Packed 1 picture " in output and "8 pictures more, which are only there" in output
    assert [sample.metadata.source_filename for sample in load_faceset(folder)][-1] == "00100.png"


def test_deleting_that_was_killed_is_finished(tmp_path):
    """After a kill at any change on disk the same call ends as it does without one."""

    def prepare(folder):
        for number in range(4):
            put_face(folder / f"{number:05d}_0.jpg", number)

    def work(folder):
        packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))

    prepare(tmp_path / "whole")
    expected = loose(tmp_path / "whole")
    work(tmp_path / "whole")
    end = contents(tmp_path / "whole")

    def check(folder, finished):
        if not finished:
            work(folder)
        assert packed(folder) == expected
        assert contents(folder) == end

    assert at_every_moment(prepare, work, check, tmp_path) > 10


def test_adding_that_was_killed_is_finished(tmp_path):
    """The same for an addition to a pack, with persons, a picture renamed since and one that replaces another."""

    def prepare(folder):
        for number, person in enumerate(("anna", "anna", "bert")):
            put_face(folder / person / f"{number:05d}.jpg", number)
        packed_faceset.delete_originals(packed_faceset.pack_faceset(folder, persons=True))
        put_face(folder / "bert" / "renamed.jpg", 2)
        put_face(folder / "anna" / "00001.jpg", 50)
        put_face(folder / "carl" / "00009.jpg", 9)

    def work(folder):
        made = packed_faceset.pack_faceset(folder, persons=True, choose=lambda files, only: "loose")
        packed_faceset.delete_originals(made)

    def found(folder):
        trash = folder.with_name(f"{folder.name}_trash")
        return packed(folder), contents(folder).keys(), sorted(path.read_bytes() for path in trash.iterdir())

    prepare(tmp_path / "whole")
    work(tmp_path / "whole")
    end = found(tmp_path / "whole")
    assert list(end[0]) == [
        ("anna", "00000.jpg"),
        ("anna", "00001.jpg"),
        ("bert", "renamed.jpg"),
        ("carl", "00009.jpg"),
    ]
    assert end[1] == {"faceset.pak"} and len(end[2]) == 1

    def check(folder, finished):
        if not finished:
            work(folder)
        assert found(folder) == end
        shutil.rmtree(folder.with_name(f"{folder.name}_trash"))

    assert at_every_moment(prepare, work, check, tmp_path) > 15


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_job_goes_on_after_a_kill_while_deleting(tmp_path, left):
    """The step is run again with only some, or none, of the pictures still beside the pack."""
    aligned = tmp_path / "work" / "data_src" / "aligned"
    for number in range(5):
        put_face(aligned / f"{number:05d}_0.jpg", number)
    before = loose(aligned)
    packed_faceset.pack_faceset(aligned)
    for path in sorted(aligned.glob("*.jpg"))[left:]:
        path.unlink()
    job = tmp_path / "job.yaml"
    job.write_text("workspace: work\nsteps:\n  - pack-src: {delete-originals: true}\n")
    result = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "run", str(job)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert packed(aligned) == before and not loose(aligned)


def test_what_cannot_be_read_or_deleted_is_one_line_and_finished_later(folder, monkeypatch):
    before = loose(folder)
    unlink, read_bytes = Path.unlink, Path.read_bytes

    def refuse(path, *arguments, **options):
        if path.name == "00003_0.jpg":
            raise PermissionError(13, "Permission denied", str(path))
        return unlink(path, *arguments, **options)

    def refuse_reading(path):
        if path.name == "00005_0.jpg":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    command = ("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert "00003_0.jpg: cannot be deleted (Permission denied)" in main(*command, expect=1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse_reading)
        assert "00005_0.jpg: cannot be read (Permission denied)" in main(*command, expect=1)
    main(*command)
    assert packed(folder) == before and not loose(folder)


def test_a_file_in_place_of_a_person_stops_unpacking(tmp_path):
    put_face(tmp_path / "anna" / "1.jpg", 1)
    packed_faceset.delete_originals(packed_faceset.pack_faceset(tmp_path, persons=True))
    (tmp_path / "anna").write_text("mine")
    output = main("util", "--input-dir", tmp_path, "--unpack-faceset", "--yes", expect=1)
    assert "anna: is a file in the way" in output and (tmp_path / "faceset.pak").exists()


def test_persons_are_finished_too(tmp_path):
    folder = tmp_path / "aligned"
    for number in range(6):
        put_face(folder / ("anna", "bert")[number // 3] / f"{number % 3:05d}.jpg", number)
    main("util", "--input-dir", folder, "--pack-faceset", "--person-faceset", "--no-delete-originals")
    before, pack = packed(folder), (folder / "faceset.pak").read_bytes()
    shutil.rmtree(folder / "anna")
    (folder / "bert" / "00000.jpg").unlink()
    arguments = ("util", "--input-dir", folder, "--pack-faceset", "--person-faceset", "--delete-originals")
    main(*arguments)
    assert packed(folder) == before and len(before) == 6 and (folder / "faceset.pak").read_bytes() == pack
    assert sorted(path.name for path in folder.iterdir()) == ["faceset.pak"]
    main(*arguments)
    assert packed(folder) == before
    (folder / "bert").mkdir()
    main(*arguments)
    assert packed(folder) == before and not (folder / "bert").exists()


def test_a_pack_of_deepfacelab_is_added_to(tmp_path):
    """Whatever its index says is kept, also what this program does not use; the last offset is the size of the file."""
    source = KIT / "pak_person" / "faceset.pak"
    (tmp_path / "faceset.pak").write_bytes(source.read_bytes())
    put_face(tmp_path / "Яна" / "1.jpg", 1)
    main("util", "--input-dir", tmp_path, "--pack-faceset", "--person-faceset", "--delete-originals")
    old, new = reading.read_pack(source), reading.read_pack(tmp_path / "faceset.pak")
    assert [entry.person_name for entry in new] == [entry.person_name for entry in old] + ["Яна"]
    for before, after in zip(old, new):
        assert before.read_bytes() == after.read_bytes() and before.index_metadata() == after.index_metadata()
        assert before.config.keys() == after.config.keys() and before.filename == after.filename
    data = (tmp_path / "faceset.pak").read_bytes()
    size = struct.unpack_from("<QQ", data)[1]
    assert struct.unpack_from("<Q", data, 16 + size + 8 * len(new))[0] == len(data)


@pytest.mark.parametrize("pack", ["release_env", "pak_flat", "variants/pak_plain_ints", "variants/pak_legacy_raw_mask"])
def test_packs_of_every_age_are_added_to(tmp_path, pack):
    source = KIT / pack / "faceset.pak"
    (tmp_path / "faceset.pak").write_bytes(source.read_bytes())
    put_face(tmp_path / "zzz.jpg", 1)
    main("util", "--input-dir", tmp_path, "--pack-faceset", "--delete-originals")
    old, new = reading.read_pack(source), reading.read_pack(tmp_path / "faceset.pak")
    assert [entry.filename for entry in new] == [entry.filename for entry in old] + ["zzz.jpg"]
    for before, after in zip(old, new):
        assert before.read_bytes() == after.read_bytes() and before.index_metadata() == after.index_metadata()


def test_what_a_fork_notes_in_its_index_stays(folder):
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    path = folder / "faceset.pak"
    data = path.read_bytes()
    size = struct.unpack_from("<QQ", data)[1]
    config = safe_pickle.loads(data[16 : 16 + size], "pack", safe_pickle.PACK_CLASSES)
    for number, entry in enumerate(config):
        entry["fork"] = {"score": number / 3, "points": np.arange(4.0).reshape(2, 2), "names": ["a", "b"]}
    new = safe_pickle.dumps(config)
    table = np.frombuffer(data[16 + size : 16 + size + 72], "<u8").copy()
    table[-1] += len(new) - size
    path.write_bytes(struct.pack("<QQ", 1, len(new)) + new + table.tobytes() + data[16 + size + 72 :])
    put_face(folder / "zzz.jpg", 9)
    packed_faceset.pack_faceset(folder)
    after = [entry.config.get("fork") for entry in reading.read_pack(path)]
    assert [value["score"] for value in after[:-1]] == [number / 3 for number in range(8)] and after[-1] is None
    assert np.array_equal(after[3]["points"], [[0, 1], [2, 3]]) and after[3]["names"] == ["a", "b"]


def test_sorting_between_two_packs_doubles_nothing(folder):
    main("util", "--input-dir", folder, "--pack-faceset", "--no-delete-originals")
    names = sorted(path.name for path in folder.glob("*.jpg"))
    for old, new in zip(names, reversed(names)):
        (folder / old).rename(folder / f"x{new}")
    for new in names:
        (folder / f"x{new}").rename(folder / new)
    before = loose(folder)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    assert packed(folder) == before and not loose(folder)


def test_equal_pictures_under_several_names_stay_as_many_as_they_are(folder):
    """Each loose one is one of the pack; their index entries hold arrays, which have no simple equality."""
    label = SegPolygon(True, np.array([[1, 2], [9, 3], [5, 9]]))
    file = folder / "00000_0.jpg"
    write_metadata(file, read_metadata(file).replace(polygons=(label,)).with_xseg_mask(np.ones((8, 8, 1))))
    for name in ("copy 1.jpg", "copy 2.jpg"):
        shutil.copy(file, folder / name)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    (folder / "b.jpg").write_bytes(packed(folder)[None, file.name])
    (folder / "a.jpg").write_bytes(packed(folder)[None, file.name])
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    assert len(packed(folder)) == 10 and {(None, "a.jpg"), (None, "b.jpg")} <= set(packed(folder))


def test_faces_that_were_put_into_folders_of_persons_since_are_not_doubled(folder):
    """The person joins the picture, and never leaves it."""
    main("util", "--input-dir", folder, "--pack-faceset", "--no-delete-originals")
    names = sorted(path.name for path in folder.glob("*.jpg"))
    for name in names[:3]:
        (folder / "anna").mkdir(exist_ok=True)
        (folder / name).rename(folder / "anna" / name)
    main("util", "--input-dir", folder, "--pack-faceset", "--person-faceset", "--no-delete-originals")
    expected = {("anna" if name in names[:3] else None, name) for name in names}
    assert set(packed(folder)) == expected
    for name in names[:3]:
        (folder / "anna" / name).rename(folder / name)
    (folder / "anna").rmdir()
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    assert set(packed(folder)) == expected and not loose(folder)


@pytest.mark.parametrize(
    ("arguments", "kept", "stays", "trash"),
    [
        (["--same-name", "loose"], {"00001_0.jpg": "new"}, False, True),
        (["--overwrite"], {"00001_0.jpg": "new"}, False, True),
        (["--yes"], {"00001_0.jpg": "new"}, False, True),
        (["--same-name", "packed"], {"00001_0.jpg": "old"}, True, False),
        (["--same-name", "both"], {"00001_0.jpg": "old", "00001_0_1.jpg": "new"}, False, False),
        (["--yes", "--same-name", "both"], {"00001_0.jpg": "old", "00001_0_1.jpg": "new"}, False, False),
    ],
)
def test_another_picture_of_the_same_name(folder, arguments, kept, stays, trash):
    """Neither gets lost, whichever is chosen; a second call changes nothing more."""
    before = loose(folder)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    file = folder / "00001_0.jpg"
    file.write_bytes(before[None, file.name])
    write_metadata(file, read_metadata(file).with_xseg_mask(np.ones((8, 8, 1))))
    pictures = {"old": before[None, file.name], "new": file.read_bytes()}
    for _ in range(2):
        main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", *arguments)
        found = packed(folder)
        assert {name: found[None, name] for name in kept} == {name: pictures[which] for name, which in kept.items()}
        assert len(found) == 7 + len(kept) and file.exists() == stays
        places = list(folder.with_name("aligned_trash").glob("*"))
        assert [place.read_bytes() for place in places] == ([pictures["old"]] if trash else [])


def test_nobody_chooses_between_two_of_the_same_name(folder):
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    put_face(folder / "00001_0.jpg", 77)
    put_face(folder / "new.jpg", 78)
    before = contents(folder.parent)
    output = main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", expect=1)
    assert "00001_0.jpg" in output and "8 pictures are only in the pack" in output and "--same-name" in output
    assert contents(folder.parent) == before
    output = main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", answers="both\n")
    assert len(packed(folder)) == 10


def test_the_loose_picture_without_its_face_data_does_not_replace_the_packed_one(folder):
    before = loose(folder)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", "--yes")
    cv2.imwrite(str(folder / "00001_0.jpg"), np.zeros((32, 32, 3), np.uint8))
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals", "--yes", "--overwrite")
    assert packed(folder) == before and (folder / "00001_0.jpg").exists()


def test_unpacking_with_yes_sets_other_pictures_aside(folder):
    before = loose(folder)
    main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    mine = put_face(folder / "00001_0.jpg", 77).read_bytes()
    main("util", "--input-dir", folder, "--unpack-faceset", expect=1)
    main("util", "--input-dir", folder, "--unpack-faceset", "--yes")
    assert loose(folder) == before and not (folder / "faceset.pak").exists()
    assert (folder.with_name("aligned_trash") / "00001_0.jpg").read_bytes() == mine


def test_training_uses_the_pack_and_says_so(folder, capsys):
    packed_faceset.pack_faceset(folder)
    put_face(folder / "new.jpg", 9)
    assert len(load_faceset(folder)) == 8
    assert "9 pictures beside it are not" in capsys.readouterr().err


# --- damaged packs


def cut_places(data, entries):
    """Sizes at which to cut a pack: in each picture, between two, in the table, and a byte before the end."""
    first = entries[0].offset
    inside = [entry.offset + entry.size // 2 for entry in entries] + [entry.offset for entry in entries]
    return sorted({*inside, first - 4, len(data) - 1, len(data) - 2})


@pytest.mark.parametrize("absolute", [True, False], ids=["as DeepFaceLab", "all offsets relative"])
def test_a_pack_cut_anywhere_stays_and_is_named(folder, absolute):
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    path = folder / "faceset.pak"
    entries, data = reading.read_pack(path, keep_open=False), bytearray(path.read_bytes())
    if not absolute:
        struct.pack_into("<Q", data, entries[0].offset - 8, len(data) - entries[0].offset)
        path.write_bytes(data)
        assert len(load_faceset(folder)) == 8
    for size in cut_places(data, entries):
        path.write_bytes(data[:size])
        for use in (load_faceset, packed_faceset.unpack_faceset, packed_faceset.pack_faceset):
            with pytest.raises(FormatError, match=r"faceset.pak: is (damaged or )?cut off"):
                use(folder)
        left = contents(folder)
        left.pop("faceset.pak.idx", None)
        assert left == {"faceset.pak": data[:size]}, size


@pytest.mark.parametrize("which", [0, 3, -1])
def test_zeros_in_a_picture_keep_the_pack(folder, which):
    """As a power cut or a broken download leaves them: the size is right, the content is not."""
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    path = folder / "faceset.pak"
    entry = reading.read_pack(path, keep_open=False)[which]
    data = bytearray(path.read_bytes())
    data[entry.offset + entry.size // 2 : entry.offset + entry.size] = bytes(entry.size - entry.size // 2)
    path.write_bytes(data)
    output = main("util", "--input-dir", folder, "--unpack-faceset", "--yes", expect=1)
    assert "1 of its 8 pictures are cut off or damaged" in output and entry.filename in output
    put_face(folder / "new.jpg", 9)
    main("util", "--input-dir", folder, "--pack-faceset", "--yes", expect=1)
    assert path.read_bytes() == data and (folder / "new.jpg").exists()


def test_the_whole_pictures_of_a_damaged_pack_can_be_taken_out(folder):
    before = loose(folder)
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    path = folder / "faceset.pak"
    entries = reading.read_pack(path, keep_open=False)
    cut = path.read_bytes()[: entries[6].offset + 20]
    path.write_bytes(cut)
    output = main("util", "--input-dir", folder, "--unpack-faceset", "--allow-damaged", expect=1)
    assert "Unpacked: 6" in output and "00006_0.jpg" in output and "00007_0.jpg" in output
    assert loose(folder) == {key: before[key] for key in sorted(before)[:6]}
    assert path.read_bytes() == cut


def test_a_torn_picture_is_not_packed(folder):
    torn = folder / "00003_0.jpg"
    torn.write_bytes(torn.read_bytes()[:-200])
    output = main("util", "--input-dir", folder, "--pack-faceset", "--delete-originals")
    assert "00003_0.jpg: is cut off" in output and "Not packed, so they stay in the folder: 1" in output
    assert [path.name for path in folder.glob("*.jpg")] == ["00003_0.jpg"] and len(packed(folder)) == 7


def test_ends_of_jpegs():
    data = (KIT / "aligned" / "00002_0.jpg").read_bytes()
    assert is_complete(data) and is_complete(data + b"\0" * 100) and is_complete(data + b"text")
    assert not any(is_complete(data[:size]) for size in range(len(data) - 1))
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    progressive = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1]
    progressive = progressive.tobytes()
    assert is_complete(progressive) and not any(is_complete(progressive[:size]) for size in range(len(progressive) - 1))
    thumbnail = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(progressive) + 2) + progressive
    assert is_complete(thumbnail + data[2:]) and not is_complete(thumbnail + data[2:-40])
    assert not is_complete(b"") and not is_complete(b"\xff\xd8\xff\xd9")


def test_labels_are_in_the_pack_after_an_addition(folder):
    label = SegPolygon(True, np.array([[1, 2], [9, 3], [5, 9]]))
    file = folder / "00001_0.jpg"
    write_metadata(file, read_metadata(file).replace(polygons=(label,)))
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    put_face(folder / "new.jpg", 9)
    packed_faceset.pack_faceset(folder)
    samples = {sample.name: sample for sample in load_faceset(folder)}
    assert samples["00001_0.jpg"].training_metadata.polygons == (label,) and len(samples) == 9


def test_without_a_choice_the_function_refuses(folder):
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))
    put_face(folder / "00001_0.jpg", 77)
    with pytest.raises(UserError, match="--same-name"):
        packed_faceset.pack_faceset(folder)
