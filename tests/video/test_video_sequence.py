"""A video is never silently shorter than the frames that it was made of."""

import json

import pytest
import video_clips as clips

from core.errors import NothingToDo
from core.files.imageio import write_image
from core.video.frames import probe, read_frames
from core.video.sequence import LIST_NAME, look_at, ranges_text, record_frames


def fill(folder, names, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        place = int("".join(filter(str.isdigit, name)) or number)
        write_image(folder / f"{name}{suffix}", clips.numbered_frame(place % 256))
    return folder


def numbers(*spans):
    return [f"{number:05d}" for first, last in spans for number in range(first, last + 1)]


def lacking(folder, count=None):
    sequence = look_at(folder, count)
    return ranges_text(sequence.missing, sequence.wanted) if sequence.missing else sequence.unknown


@pytest.mark.parametrize(
    "source, merged, missing",
    [
        (numbers((1, 20)), numbers((1, 20)), 0),
        (numbers((1, 20)), numbers((1, 8), (10, 14), (17, 20)), "00009, 00015–00016"),
        (numbers((1, 20)), numbers((1, 15)), "00016–00020"),
        (numbers((1, 20)), numbers((4, 20)), "00001–00003"),
        (numbers((12, 30)), numbers((12, 30)), 0),
        (numbers((12, 30)), numbers((12, 20), (22, 30)), "00021"),
        (numbers((1, 5), (9, 20)), numbers((1, 5), (9, 20)), 0),
        (numbers((1, 5), (9, 20)), numbers((1, 4), (10, 20)), "00005–00009"),
        (["anna", "bert", "carl", "dora"], ["anna", "bert", "dora"], "carl"),
        ([f"shot3_{n}" for n in range(8, 13)], ["shot3_8", "shot3_9", "shot3_11", "shot3_12"], "shot3_10"),
    ],
)
@pytest.mark.parametrize("name", ["merged", "merged_mask"])
def test_the_frames_above_tell_what_is_missing(tmp_path, source, merged, missing, name):
    fill(tmp_path, source, ".jpg")
    assert lacking(fill(tmp_path / name, merged)) == missing


@pytest.mark.parametrize(
    "merged, count, missing",
    [
        (numbers((1, 20)), 20, 0),
        (numbers((1, 9), (12, 20)), 20, "00010–00011"),
        (numbers((1, 15)), 20, "00016–00020"),
        (numbers((0, 18)), 20, "00019"),
        (numbers((12, 20)), 20, "00001–00011"),
        (numbers((12, 31)), 20, 0),
        (numbers((12, 20), (23, 31)), 20, "00021–00022"),
        (numbers((1, 5), (9, 23)), 20, 0),
        (["a", "b", "c"], 5, 2),
        ([f"{n}" for n in (8, 9, 11, 12)], 5, "10"),
        ([f"f_{n}" for n in range(95, 104) if n != 100], 9, "f_100"),
    ],
)
def test_without_them_the_reference_tells(tmp_path, merged, count, missing):
    found = lacking(fill(tmp_path / "merged", merged), count)
    if merged[0] == "8":
        assert found in ("10", "1–7, 10")
        return
    assert found == missing


@pytest.mark.parametrize(
    "merged, missing",
    [
        (numbers((5, 20)), 0),
        (numbers((5, 9), (12, 20)), "00010–00011"),
        ([f"{n:04d}" for n in range(0, 100, 10)], 0),
        ([f"{n:04d}" for n in range(0, 100, 10) if n != 40], "0040"),
        (["1", "7", "300"], 0),
        (["a1", "b2", "c9"], 0),
        ([f"{n}" for n in range(99_998, 100_003) if n != 100_000], "100000"),
    ],
)
def test_without_any_source_only_the_numbers_tell(tmp_path, merged, missing):
    assert lacking(fill(tmp_path / "merged", merged)) == missing


def test_the_list_of_the_merge_counts_where_the_frames_are_gone(tmp_path):
    folder = fill(tmp_path / "merged", numbers((1, 6)))
    mask = fill(tmp_path / "merged_mask", numbers((1, 6)))
    record_frames(folder, numbers((1, 8)))
    assert lacking(folder) == lacking(mask) == "00007–00008"
    fill(tmp_path, numbers((1, 7)))
    assert lacking(folder) == "00007", "the frames themselves count first"
    (folder / LIST_NAME).write_text("[" * 100_000)
    assert lacking(folder) == "00007"


def test_what_agrees_with_the_reference_counts_first(tmp_path):
    fill(tmp_path, [*numbers((1, 20)), "holiday"])
    folder = fill(tmp_path / "merged", numbers((1, 10)))
    record_frames(folder, numbers((1, 10)))
    assert lacking(folder, 10) == 0, "merged from a shorter video"
    assert lacking(folder, 20) == "00011–holiday"
    fill(folder, numbers((11, 20)))
    assert lacking(folder, 20) == 0
    (folder / "00020.png").rename(folder / "00021.png")
    assert lacking(folder, 20) == "00020–holiday"


def test_pictures_of_other_things_above_do_not_count(tmp_path):
    fill(tmp_path, ["holiday", "cat"])
    assert lacking(fill(tmp_path / "merged", numbers((1, 3)))) == 0


def test_an_empty_folder_is_nothing_to_do(tmp_path):
    with pytest.raises(NothingToDo):
        look_at(tmp_path)


@pytest.fixture
def workspace(tmp_path):
    sound = clips.make_clicks(tmp_path / "s.wav", [0.4], 0.8)
    clips.make_clip(tmp_path / "data_dst.mp4", 20, "25", sound)
    fill(tmp_path / "data_dst", numbers((1, 20)))
    fill(tmp_path / "data_dst" / "merged", numbers((1, 4), (8, 18)))
    fill(tmp_path / "data_dst" / "merged_mask", numbers((1, 4), (8, 18)))
    return tmp_path


def encode(workspace, name, *flags):
    return clips.call_main(
        "videoed", "video-from-sequence", "--input-dir", workspace / "data_dst" / name, "--output-file",
        workspace / f"{name}.mp4", "--reference-file", workspace / "data_dst.*", "--include-audio", "--bitrate", 8,
        "--no-provenance", *flags,
    )  # fmt: skip


def shown(workspace, name):
    return [clips.read_number(frame) for frame in read_frames(workspace / f"{name}.mp4")]


@pytest.mark.parametrize("flags", [(), ("--yes",)])
def test_an_incomplete_folder_is_refused_with_the_numbers(workspace, flags):
    done = encode(workspace, "merged", *flags)
    assert done.returncode == 1 and not (workspace / "merged.mp4").exists()
    assert "5 of 20 pictures are missing (00005–00007, 00019–00020)" in done.stderr
    assert "--hold-missing" in done.stderr and done.stderr.count("\n") == len(done.stderr.strip().splitlines())


def test_holding_repeats_the_picture_before_and_the_masks_follow(workspace):
    done = encode(workspace, "merged", "--hold-missing")
    assert done.returncode == 0, done.stderr
    right = [1, 2, 3, 4, 4, 4, 4, *range(8, 19), 18, 18]
    assert shown(workspace, "merged") == right and len(probe(workspace / "merged.mp4").audio) == 1
    assert encode(workspace, "merged_mask").returncode == 0 and shown(workspace, "merged_mask") == right
    assert encode(workspace, "merged").returncode == 1, "the choice is not for the pictures themselves"


def test_what_is_missing_at_the_beginning_takes_the_picture_after(workspace):
    for name in numbers((1, 3)):
        (workspace / "data_dst" / "merged" / f"{name}.png").unlink()
    assert encode(workspace, "merged", "--hold-missing").returncode == 0
    assert shown(workspace, "merged") == [4] * 7 + [*range(8, 19), 18, 18]


def test_ignoring_makes_the_shorter_video_with_a_warning(workspace):
    done = encode(workspace, "merged", "--ignore-missing")
    assert done.returncode == 0 and "will not fit" in done.stderr
    assert shown(workspace, "merged") == [*range(1, 5), *range(8, 19)]


def test_both_flags_together_are_refused(workspace):
    assert encode(workspace, "merged", "--ignore-missing", "--hold-missing").returncode == 2


def test_a_complete_folder_leaves_no_note_that_could_mislead(workspace):
    fill(workspace / "data_dst" / "merged", numbers((5, 7), (19, 20)))
    assert encode(workspace, "merged").returncode == 0
    assert shown(workspace, "merged") == list(range(1, 21))
    note = workspace / "data_dst" / "merged" / LIST_NAME
    assert not note.exists() or json.loads(note.read_text()).get("missing") is None
    assert encode(workspace, "merged_mask").returncode == 1


def test_left_over_pictures_are_named_and_doubled_ones_refused(workspace):
    fill(workspace / "data_dst" / "merged", numbers((5, 7), (19, 22)))
    done = encode(workspace, "merged")
    assert done.returncode == 0
    assert "2 pictures belong to none of the frames (00021.png … 00022.png)" in done.stderr
    fill(workspace / "data_dst" / "merged", ["00001"], ".jpg")
    done = encode(workspace, "merged")
    assert done.returncode == 1 and "two pictures each (00001" in done.stderr


def test_a_merge_notes_its_frames_before_the_first_is_written(workspace):
    from types import SimpleNamespace

    from merger.run.request import MergeRequest
    from merger.run.steps import _record_frames

    folder = workspace / "data_dst"
    output = {"output_dir": folder / "merged", "output_mask_dir": folder / "merged_mask"}
    _record_frames(
        MergeRequest(folder, "SAEHD", folder, **output), [SimpleNamespace(stem=stem) for stem in numbers((1, 30))]
    )
    for image in folder.glob("*.png"):
        image.unlink()
    for name in ("merged", "merged_mask"):
        assert lacking(folder / name, 20) == "00005–00007, 00019–00030"
