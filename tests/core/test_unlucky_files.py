"""Odd files, names, paths and disks end in one line that says what to do, never in an internal error or without end."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import DiskError, UserError
from core.files.paths import atomic_write, list_files, list_folders, replacing
from core.files.system_errors import as_user_error
from core.parallel import ordered_map
from core.records.name_record import RECORD_NAME
from samplelib.faces import aligned_face

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "tests" / "golden" / "formats" / "aligned"
LABELLED = FACES / "00002_0.jpg"

needs_posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")


def run_main(*arguments, code=None, **options):
    """Exit code and output of the real program; it may not end in an internal error."""
    start = [str(ROOT / "main.py")] if code is None else ["-c", code, str(ROOT)]
    command = [sys.executable, *start, *(os.fspath(word) for word in arguments)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, **options)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "debug-errors" not in text and "Traceback" not in text, text
    return done.returncode, text


def errors(text):
    return [line for line in text.splitlines() if line.startswith("/!\\")]


def put_faces(folder, count=3):
    folder.mkdir(parents=True)
    for number in range(count):
        shutil.copy(LABELLED, folder / f"{number}.jpg")
        (folder / f"{number}.jpg").chmod(0o644)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != RECORD_NAME)


@pytest.fixture
def odd_folder(tmp_path):
    folder = put_faces(tmp_path / "aligned")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "self").symlink_to(folder, target_is_directory=True)
    return folder


ODD = {
    "loop.jpg": "is a link that leads back to itself",
    "broken.png": "is a link that leads nowhere",
    "zero.jpg": "is no file but a pipe or a device",
    "pipe.jpg": "is no file but a pipe or a device",
}


@needs_posix
@pytest.mark.parametrize(
    "arguments",
    [
        "sort --input-dir {f} --by blur",
        "sort --input-dir {f} --by absdiff --similar",
        "util --input-dir {f} --pack-faceset --no-delete-originals --no-person-faceset",
        "util --input-dir {f} --recover-original-aligned-filename",
        "util --input-dir {f} --save-faceset-metadata",
        "util --input-dir {f} --export-faceset-mask",
        "facesettool resize --input-dir {f} --image-size 128 --face-type same --no-merge",
        "xseg remove_labels --input-dir {f} --yes",
        "xseg fetch --input-dir {f} --delete-original no",
        "extract --input-dir {f} --output-dir {f}_faces --detector embedded --yes",
        "videoed video-from-sequence --input-dir {f} --output-file {f}.mp4 --fps 25 --bitrate 4 --no-provenance",
    ],
    ids=lambda text: " ".join(text.replace("--input-dir {f}", "").split()[:3]),
)
def test_links_pipes_and_devices_among_pictures_are_named_and_left_alone(odd_folder, arguments):
    code, text = run_main(*arguments.format(f=odd_folder).split())
    assert code == 0, text
    for name, problem in ODD.items():
        (line,) = [line for line in text.splitlines() if name in line]
        assert line.startswith(f"Warning: {odd_folder / name}: ") and problem in line and "left out" in line
    assert {*ODD, "folder.jpg", "self"} <= set(names(odd_folder))


@needs_posix
def test_a_folder_that_leads_back_to_itself_is_no_person(odd_folder, capsys):
    (odd_folder / "person").mkdir()
    assert list_folders(odd_folder) == [odd_folder / "folder.jpg", odd_folder / "person"]
    assert f"{odd_folder / 'self'}: is a link that leads back to the folder" in capsys.readouterr().err


@needs_posix
def test_of_many_odd_entries_ten_are_named_and_the_rest_counted(tmp_path, capsys):
    for number in range(40):
        (tmp_path / f"{number:02d}.png").symlink_to(tmp_path / "nowhere")
        (tmp_path / f"{number:02d}.txt").symlink_to(tmp_path / "nowhere")
    assert list_files(tmp_path) == [] and capsys.readouterr().err == "", "only what was looked for is told of"
    assert list_files(tmp_path, (".png",)) == []
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 11 and told[-1].endswith("30 more such entries are left out.")
    assert list_files(tmp_path, (".png",)) == [] and capsys.readouterr().err == "", "once"


@needs_posix
def test_a_link_to_a_real_picture_is_one(tmp_path):
    put_faces(tmp_path / "elsewhere", 1)
    folder = put_faces(tmp_path / "aligned", 1)
    (folder / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "0.jpg")
    assert [path.name for path in list_files(folder, (".jpg",))] == ["0.jpg", "linked.jpg"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("sort --input-dir {file} --by blur", "no such folder"),
        ("extract --input-dir {file} --output-dir {out} --yes", "Not a directory|no such folder|is a file, not a folder"),
        ("extract --input-dir {folder} --output-dir {file} --yes", "File exists|Not a directory|a folder is needed"),
        ("extract --input-video {folder} --output-dir {out} --yes", "is a folder, but a file is needed"),
        ("videoed extract-video --input-file {folder} --output-dir {out} --fps 0", "is a folder, but a file is needed"),
        ("videoed video-from-sequence --input-dir {folder} --output-file {dir}.mp4 --fps 25 --bitrate 4 --no-provenance",
         "is a folder, but a file is needed"),
        ("sort --input-dir {folder} --by identity --identity {folder}", "is the folder that is sorted"),
        ("sort --input-dir {folder} --by blur --answers {folder}", "is no file .a folder"),
        ("sort --input-dir {folder} --by blur --log-file {folder}", "Is a directory|is a folder"),
        ("run {folder}", "is no file .a folder"),
        ("util --input-dir {file} --pack-faceset", "Not a directory|no such folder|is a file, not a folder"),
        ("xseg apply --input-dir {folder} --model-dir {file}", "."),
        ("train --model SAEHD --model-dir {file} --training-data-src-dir {folder} --training-data-dst-dir {folder} "
         "--force-model-name a --no-preview --silent-start", "a folder is needed|is there already|Not a directory|cannot be made"),
        ("exportdfm --model-dir {file} --model SAEHD", "."),
        ("workspace clear --workspace {file} --yes", "a folder is needed|is there already|Not a directory|no such"),
        ("sort --input-dir {long} --by blur", "too long"),
        ("extract --input-dir {folder} --output-dir {long} --yes", "too long"),
        ("videoed video-from-sequence --input-dir {folder} --output-file {long}.mp4 --fps 25 --bitrate 4 --no-provenance",
         "too long"),
    ],
    ids=lambda value: value[:70] if "{" in value else "",
)  # fmt: skip
def test_a_file_for_a_folder_and_the_other_way_round_and_endless_names(tmp_path, arguments, told):
    import re

    folder = put_faces(tmp_path / "aligned")
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "dir.mp4").mkdir()
    places = {"file": tmp_path / "file.txt", "folder": folder, "out": tmp_path / "out", "dir": tmp_path / "dir",
              "long": tmp_path / ("x" * 300)}  # fmt: skip
    code, text = run_main(*arguments.format(**places).split())
    assert code in (1, 2, 3) and len(errors(text)) == 1, text
    assert re.search(told, errors(text)[0]), text
    assert (tmp_path / "file.txt").read_text() == "text" and len(names(folder)) == 3


def test_a_zero_character_in_a_path_is_told(tmp_path, capsys):
    import main

    with pytest.raises(SystemExit) as ended:
        main.main(["sort", "--input-dir", "a\0b", "--by", "blur"])
    assert ended.value.code == 2
    assert r"'a\x00b' holds a character of code 0, which no path can" in capsys.readouterr().err
    job = tmp_path / "job.yaml"
    job.write_text('workspace: "a\\0b"\nsteps: [{sort: {input-dir: "x\\0y", by: blur}}]\n')
    assert len(errors(run_main("run", job)[1])) == 1


@needs_posix
def test_names_that_are_not_utf8_go_through_every_step(tmp_path):
    folder = put_faces(tmp_path / os.fsdecode(b"caf\xe9"))
    odd = folder / os.fsdecode(b"\xff\xe9.jpg")
    os.rename(folder / "0.jpg", odd)
    (folder / os.fsdecode(b"text\xe9.jpg")).write_text("no picture")
    for arguments in (
        ("sort", "--input-dir", folder, "--by", "blur", "--dry-run"),
        ("util", "--input-dir", folder, "--save-faceset-metadata"),
        ("util", "--input-dir", folder, "--restore-faceset-metadata"),
        ("util", "--input-dir", folder, "--export-faceset-mask"),
        ("xseg", "fetch", "--input-dir", folder, "--delete-original", "no"),
        ("facesettool", "resize", "--input-dir", folder, "--image-size", "128", "--no-merge", "--yes"),
        ("extract", "--input-dir", folder, "--output-dir", tmp_path / os.fsdecode(b"out\xe9"), "--detector", "embedded",
         "--yes"),
    ):  # fmt: skip
        files = ("--json-events", tmp_path / "events.json", "--log-file", tmp_path / "log.txt")
        plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"} if "--by" in arguments else {}
        code, text = run_main(*arguments, *files, env={**os.environ, **plain})
        assert code in (0, 1), text
    assert odd.exists()
    events = [json.loads(line) for line in (tmp_path / "events.json").read_text(encoding="utf-8").splitlines()]
    assert any("\udce9" in event.get("text", "") for event in events), "a reader gets the very name"
    assert "\\udce9" in (tmp_path / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "stored", ["x" * 300 + ".png", "ü" * 200 + ".png", "a\ud800b.png", "a\nb.png", "..", "a/" * 200]
)
def test_a_face_whose_frame_has_no_usable_name_keeps_its_own(tmp_path, stored):
    folder = put_faces(tmp_path / "aligned")
    metadata = aligned_face.read_metadata(folder / "1.jpg")
    aligned_face.write_metadata(folder / "1.jpg", metadata.replace(source_filename=stored))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, text = run_main("util", "--input-dir", folder, "--recover-original-aligned-filename")
    assert code == 0, text
    assert len([line for line in text.splitlines() if "1.jpg: the name of its frame" in line]) == 1
    stem = Path(metadata.source_filename).stem
    assert names(folder) == sorted(["1.jpg", f"{stem}_0.jpg", f"{stem}_1.jpg"])
    assert (folder / "1.jpg").read_bytes() == before["1.jpg"]
    for step in (("sort", "--by", "origname"), ("sort", "--by", "oneface")):
        assert run_main(step[0], "--input-dir", folder, *step[1:])[0] in (0, 1)


def full_after(count):
    """Code that runs the program on a disk that is full after some files."""
    return f"""
import os, sys, tempfile
sys.path.insert(0, sys.argv.pop(1))
import core.files.temporary as temporary
left, real = [{count}], tempfile.mkstemp
def mkstemp(*arguments, **options):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(28, os.strerror(28), f"{{options['dir']}}/{{options['prefix']}}abcdefgh{{options['suffix']}}")
    return real(*arguments, **options)
temporary.tempfile.mkstemp = mkstemp
import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("room", [0, 1])
@pytest.mark.parametrize(
    "arguments",
    [
        "facesettool resize --input-dir {f} --image-size 128 --face-type same --merge --yes",
        "util --input-dir {f} --pack-faceset --no-delete-originals",
        "util --input-dir {f} --export-faceset-mask",
        "util --input-dir {f} --add-landmarks-debug-images",
        "util --input-dir {f} --save-faceset-metadata",
        "sort --input-dir {f} --by blur",
        "xseg fetch --input-dir {f} --delete-original no",
        "xseg remove_labels --input-dir {f} --yes",
        "extract --input-dir {f} --output-dir {f}_faces --detector embedded --output-debug --yes",
    ],
    ids=lambda text: " ".join(text.replace("--input-dir {f}", "").split()[:2]),
)
def test_a_full_disk_ends_every_step_with_one_line(tmp_path, arguments, room):
    folder = put_faces(tmp_path / "aligned", 4)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, text = run_main(*arguments.format(f=folder).split(), code=full_after(room))
    if room and code == 0:
        return  # it needed only one file
    assert code == 1 and len(errors(text)) == 1, text
    assert "No space left on device" in errors(text)[0] and str(tmp_path) in errors(text)[0]
    assert "Free some space" in errors(text)[0] or "Nothing was deleted" in errors(text)[0]
    kept = [path.read_bytes() for path in folder.iterdir() if path.suffix == ".jpg"]
    if "remove_labels" not in arguments:
        assert all(data in kept for data in before.values())
    assert not [name for name in names(folder) if ".tmp" in name or name == ".in_use.lock"]


@pytest.mark.parametrize(
    "name",
    [
        "ENOSPC",
        "EDQUOT",
        "EACCES",
        "EPERM",
        "EROFS",
        "ENAMETOOLONG",
        "EIO",
        "ELOOP",
        "ENOENT",
        "ENOTDIR",
        "EISDIR",
        "EMFILE",
    ],
)
def test_errors_of_the_system_are_told_with_the_file_and_what_to_do(tmp_path, name):
    number = getattr(errno, name)
    with pytest.raises(OSError) as caught, replacing(tmp_path / "a.bin"):
        raise OSError(number, os.strerror(number))
    told = str(as_user_error(caught.value))
    assert told.startswith(f"{tmp_path / 'a.bin'}: ") and told.endswith(f"({os.strerror(number)}).")
    assert ". " in told.removesuffix(f" ({os.strerror(number)})."), "says what to do"
    assert names(tmp_path) == []
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); import main, mainscripts.sort as sort\n" \
           f"def fail(options): raise OSError({number}, {os.strerror(number)!r}, '/a/b.jpg')\n" \
           f"sort.run = fail\nsys.exit(main.main(sys.argv[1:]))"  # fmt: skip
    exit_code, text = run_main("sort", "--input-dir", tmp_path, "--by", "blur", code=code)
    assert exit_code == 1 and errors(text)[0].startswith("/!\\ /a/b.jpg: ")


def test_faults_of_the_program_are_still_told_as_such():
    for error in (
        KeyError("a"),
        ValueError("wrong"),
        OSError("no number"),
        OSError(errno.EDOM, "domain"),
        TypeError("x"),
    ):
        assert as_user_error(error) is None
    assert "memory is not enough" in str(as_user_error(MemoryError("Unable to allocate 4 GiB")))
    assert "code 0" in str(as_user_error(ValueError("embedded null byte")))


def test_work_on_many_files_ends_at_once_when_the_disk_takes_no_more(tmp_path):
    tried = []

    def work(number):
        tried.append(number)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")

    with pytest.raises(OSError, match="No space left"):
        list(ordered_map(work, range(1000), workers=2, ahead=2))
    assert len(tried) < 20

    def other(number):
        raise UserError("damaged")

    assert sum(outcome.error is not None for outcome in ordered_map(other, range(10))) == 10


def test_only_what_every_file_would_meet_is_an_error_of_the_disk(tmp_path, monkeypatch):
    for name, kind in (("ENOSPC", DiskError), ("EROFS", DiskError), ("EACCES", UserError), ("ENAMETOOLONG", UserError)):
        number = getattr(errno, name)

        def refuse(*arguments, number=number, **options):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("core.files.temporary.tempfile.mkstemp", refuse)
        with pytest.raises(UserError, match=f"a.bin: cannot be written .{os.strerror(number)}") as caught:
            atomic_write(tmp_path / "a.bin", b"x")
        assert type(caught.value) is kind


def test_events_and_log_on_a_full_disk_do_not_end_the_work(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no device that is always full")
    folder = put_faces(tmp_path / "aligned")
    code, text = run_main("sort", "--input-dir", folder, "--by", "blur", "--log-file", "/dev/full", "--json-events",
                          "/dev/full")  # fmt: skip
    assert code == 0 and text.count("cannot be written any more (No space left on device). The run goes on.") == 2
    assert names(folder) == ["00000.jpg", "00001.jpg", "00002.jpg"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    folder = put_faces(tmp_path / "aligned")
    folder.chmod(0)
    try:
        code, text = run_main("sort", "--input-dir", folder, "--by", "blur")
        assert code == 1 and "Permission denied" in errors(text)[0] and str(folder) in errors(text)[0]
    finally:
        folder.chmod(0o755)


def test_a_picture_that_may_not_be_read_is_left_out(tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    from core.files.imageio import read_image

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a.png"))

    monkeypatch.setattr("core.files.picture_limits.os.open", refuse)
    with pytest.raises(UserError, match="a.png: cannot be read .Permission denied"):
        read_image(tmp_path / "a.png")
