"""Whatever a run leaves behind that is killed while it writes, the next run of the same command removes."""

import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from killed_program import MAIN, changes, hidden, run

ROOT = Path(__file__).parents[2]
FACES = ROOT / "tests" / "golden" / "formats" / "aligned"
MOMENTS = 20

_SAVE = """
from pathlib import Path
from models.saved import transaction
from models.saved.lock import ModelLock
from models.saved.model_files import model_data_to_bytes, ModelData, write_default_options
folder = Path(sys.argv[1])
with ModelLock(folder, "t_SAEHD"):
    transaction.recover(folder, "t_SAEHD")
    files = {f"t_SAEHD_{name}.npy": b"weights" for name in ("encoder", "inter")}
    files["t_SAEHD_data.dat"] = model_data_to_bytes(ModelData(5, {"resolution": 64}))
    transaction.commit(folder, "t_SAEHD", files)
    transaction.commit(folder, "other_SAEHD", {"other_SAEHD_data.dat": b"state", "other_SAEHD_encoder.npy": lambda: b"weights"})
    write_default_options(folder / "SAEHD_default_options.dat", {"resolution": 64})
"""
_MERGE = f"""
sys.path[:0] = [{str(ROOT / "tests" / "merger")!r}]
import merge_program, main
from merger.run import steps
steps.open_model = lambda request: (merge_program.StubModel(), request)
steps._record = lambda request, model: None
sys.exit(main.main(sys.argv[1:]))
"""


def put_faces(folder):
    (folder / "aligned").mkdir()
    for path in FACES.glob("*.jpg"):
        shutil.copy(path, folder / "aligned")


def put_frames(folder, count=4):
    (folder / "frames").mkdir()
    for number in range(count):
        picture = np.full((64, 96, 3), 20 * number, np.uint8)
        cv2.imwrite(str(folder / "frames" / f"{number + 1:05d}.png"), picture)


def put_faces_in_frames(folder):
    import skimage.data

    (folder / "frames").mkdir()
    portrait = skimage.data.astronaut()[..., ::-1]
    for number in range(2):
        cv2.imwrite(str(folder / "frames" / f"{number + 1:05d}.png"), portrait)


def put_workspace(folder):
    sys.path.insert(0, str(ROOT / "tests" / "merger"))
    from merge_workspace import Workspace

    work = Workspace(folder / "work", 3)
    (work.model / "stub_SAEHD_data.dat").write_bytes(b"state")


COMMANDS = {
    "pack": (put_faces, MAIN, "util --input-dir {f}/aligned --pack-faceset --no-delete-originals --overwrite"),
    "sort": (put_faces, MAIN, "sort --input-dir {f}/aligned --by hist"),
    "extract": (
        put_faces_in_frames,
        MAIN,
        "extract --input-dir {f}/frames --output-dir {f}/aligned --detector embedded --face-type whole_face "
        "--image-size 256 --output-debug --max-faces-from-image 0 --jpeg-quality 90 --continue --yes",
    ),
    "resize": (
        put_faces,
        MAIN,
        "facesettool resize --input-dir {f}/aligned --image-size 128 --face-type same --merge --yes",
    ),
    "masks": (put_faces, MAIN, "util --input-dir {f}/aligned --export-faceset-mask"),
    "metadata": (put_faces, MAIN, "util --input-dir {f}/aligned --save-faceset-metadata"),
    "save": (lambda folder: None, _SAVE, "{f}"),
    "video": (
        put_frames,
        MAIN,
        "videoed video-from-sequence --input-dir {f}/frames --output-file {f}/result.mp4 --ext png --fps 25 --yes",
    ),
    "merge": (
        put_workspace,
        _MERGE,
        "merge --input-dir {f}/work/frames --output-dir {f}/work/merged --output-mask-dir {f}/work/merged_mask "
        "--model-dir {f}/work/model --model SAEHD --no-interactive --workers 2 --yes",
    ),
    "merge_to_video": (
        put_workspace,
        _MERGE,
        "merge --input-dir {f}/work/frames --output-video {f}/work/result.mp4 --output-mask-dir {f}/work/merged_mask "
        "--model-dir {f}/work/model --model SAEHD --no-interactive --workers 2 --yes",
    ),
    "frames": (
        put_frames,
        MAIN,
        "videoed denoise-image-sequence --input-dir {f}/frames --factor 3",
    ),
}


@pytest.mark.parametrize("command", ("pack", "sort", "extract", "merge", "save", "video"))
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, command):
    check_killed_runs(tmp_path, command, lambda total: {2, 3, 4, 6, 9, total // 2, total * 2 // 3})


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_for_every_command_at_many_moments(tmp_path, command):
    check_killed_runs(tmp_path, command, lambda total: set(range(2, total + 1, max(1, total // MOMENTS))))


def check_killed_runs(tmp_path, command, moments_of):
    """Kill a command at each moment, run it again, and compare what is hidden with an undisturbed run."""
    prepare, code, text = COMMANDS[command]

    def fresh(name):
        folder = tmp_path / name
        folder.mkdir()
        prepare(folder)
        return folder, text.format(f=folder).split()

    folder, arguments = fresh("whole")
    told, exit_code = run(arguments, code=code)
    assert exit_code in (0, 1), told
    total, expected, torn = changes(told), hidden(folder), 0
    assert not any(".tmp" in name or name.endswith(".lock") for name in expected if "t_SAEHD" not in name)
    for moment in sorted(moments_of(total)):
        folder, arguments = fresh(f"killed_{moment}")
        if run(arguments, moment, code)[1] != -signal.SIGKILL:
            continue  # threads make somewhat fewer changes at times
        torn += any(".tmp" in name for name in hidden(folder))
        told, exit_code = run(arguments, code=code)
        assert exit_code in (0, 1), told
        assert hidden(folder) == expected, f"killed at change {moment} of {total}"
    assert torn, "no moment was inside of a write"
