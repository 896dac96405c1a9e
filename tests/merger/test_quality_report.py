"""The page about a merge finds the frames that were spoiled on purpose, says why, and finds nothing in an even clip."""

import re

import cv2
import numpy as np
import pytest

import main
from merger.run.quality_report import WORDS, findings, measure_frame, write_report

COUNT, WIDTH, HEIGHT = 24, 480, 270


def make_clip(folder, spoil=lambda number: None):
    """Frames with a textured background, a face that wanders, and its mask; the triples."""
    random = np.random.default_rng(3)
    background = cv2.resize(
        random.integers(60, 190, (27, 48, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    texture = cv2.resize(
        random.integers(80, 200, (90, 160, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    triples = []
    for name in ("frames", "merged", "mask"):
        (folder / name).mkdir()
    for number in range(COUNT):
        x, y, radius = 150 + 4 * number, 130 + int(6 * np.sin(number / 3)), 50
        state = {
            "x": x,
            "y": y,
            "radius": radius,
            "gain": 1.0,
            "blur": 0,
            "face": True,
            "scene": background,
            "gain_before": 1.0,
        }
        state.update(spoil(number) or {})
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        if state["face"]:
            cv2.circle(mask, (state["x"], state["y"]), state["radius"], 255, -1, cv2.LINE_AA)
        swapped = np.clip(texture * state["gain"], 0, 255).astype(np.uint8)
        if state["blur"]:
            swapped = cv2.GaussianBlur(swapped, (0, 0), state["blur"])
        frame = np.clip(state["scene"] * state["gain_before"], 0, 255).astype(np.uint8)
        merged = np.where(mask[..., None] > 127, swapped, frame)
        triple = []
        for name, picture in (("frames", frame), ("merged", merged), ("mask", mask)):
            path = folder / name / f"{number:05d}.png"
            cv2.imwrite(str(path), picture)
            triple.append(path)
        triples.append(tuple(triple))
    return triples


def found_in(folder, spoil):
    triples = make_clip(folder, spoil)
    return findings([measure_frame(*triple) for triple in triples])


def test_an_even_clip_has_nothing_to_look_at(tmp_path):
    assert found_in(tmp_path, lambda number: None) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": 150 + 4 * 12 + 14}, WORDS["place"]),
        ({"radius": 60}, WORDS["size"]),
        ({"gain": 1.15}, WORDS["colour"]),
        ({"blur": 4}, WORDS["sharpness"]),
        ({"face": False}, "has no face, though the frames around have"),
    ],
)
def test_a_spoiled_frame_is_the_worst_and_says_why(tmp_path, change, reason):
    found = found_in(tmp_path, lambda number: change if number == 12 else None)
    assert found[0].index == 12 and reason in found[0].reasons
    assert all(abs(finding.index - 12) <= 1 for finding in found)


def test_what_the_original_does_by_itself_is_no_fault(tmp_path):
    """A flash: frame and face get brighter together."""
    found = found_in(tmp_path, lambda number: {"gain": 1.12, "gain_before": 1.12} if number == 12 else None)
    assert not any(WORDS["colour"] in finding.reasons for finding in found)


def test_a_cut_is_no_jump(tmp_path):
    other = np.full((HEIGHT, WIDTH, 3), 240, np.uint8)
    found = found_in(tmp_path, lambda number: {"x": 300, "scene": other, "gain": 0.6} if number >= 12 else None)
    assert found == []


def test_a_face_at_the_border_is_named(tmp_path):
    found = found_in(tmp_path, lambda number: {"x": 20 + number} if number < 30 else None)
    assert {finding.reasons for finding in found} == {("is cut off by the border of the frame",)}
    assert len(found) == COUNT


def test_the_page_shows_the_worst_with_their_pictures(tmp_path, capsys):
    triples = make_clip(
        tmp_path, lambda number: {"gain": 1.2} if number in (5, 12) else {"radius": 64} if number == 18 else None
    )
    output = tmp_path / "merged_report.html"
    output.write_text("something else")
    found = write_report(output, triples)
    page = output.read_text()
    assert "it is called merged_report_old.html now" in capsys.readouterr().out
    assert {5, 12, 18} <= {finding.index for finding in found}
    assert f"Frames to look at: {len(found)}" in page and page.count('class="frame"') == len(found)
    assert page.count("data:image/jpeg") == 3 * len(found) and page.count("<svg") == 4
    assert "00012.png: " in page and not re.search(r"(src|href)=\"http", page)
    write_report(output, triples)
    assert len(list(tmp_path.glob("merged_report*"))) == 2


def test_a_picture_that_cannot_be_read_is_told_and_left_out(tmp_path, capsys):
    triples = make_clip(tmp_path)
    triples[3][1].write_bytes(b"no picture")
    write_report(tmp_path / "r.html", triples)
    told = capsys.readouterr()
    assert "00003.png" in told.out + told.err and "left out of the report" in told.out + told.err


@pytest.mark.parametrize(
    "words", [["--output-video", "r.mp4"], ["--output-dir", "o", "--output-mask-dir", "m", "--interactive"]]
)
def test_the_report_needs_folders(tmp_path, words, capsys):
    arguments = [
        "merge",
        "--model",
        "SAEHD",
        "--model-dir",
        str(tmp_path),
        "--input-dir",
        str(tmp_path),
        "--report",
        *words,
    ]
    assert main.main(arguments) == 2
    assert "--report looks at the pictures of a folder" in capsys.readouterr().err
