"""The report about two facesets: numbers, named gaps, suspects, and the page in a real browser."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelib.landmarks import MODEL_3D
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.report.faceset_report import coverage, find_gaps, write_report
from samplelib.report.svg_charts import heat_map

ROOT = Path(__file__).parents[2]
SIZE = 128
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _landmarks(yaw):
    """A head turned by ``yaw`` degrees, positive to the image's left, seen from 2.5 times its size away."""
    angle = np.radians(yaw)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = (MODEL_3D - MODEL_3D.mean(axis=0)) / np.ptp(MODEL_3D[:, 1]) @ turn.T
    scale = 1 / (1 + points[:, 2:] / 2.5)
    return points[:, :2] * scale * SIZE * 0.7 + SIZE / 2


def _pattern(seed):
    """Stripes of another direction and width in each of 3 × 3 fields."""
    generator = np.random.default_rng(seed)
    fields = np.ix_(*[np.arange(SIZE) * 3 // SIZE] * 2)
    angle, width = generator.uniform(0, np.pi, (3, 3))[fields], generator.uniform(5, 11, (3, 3))[fields]
    y, x = np.mgrid[:SIZE, :SIZE]
    stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / width)
    return (127 + stripes[:, :, None] * [50, 70, 80]).astype(np.uint8)


def _make(folder, yaws, brightness=1.0, side=90):
    folder.mkdir(parents=True)
    for number, yaw in enumerate(yaws):
        image = np.clip(_pattern(0) * brightness + np.random.default_rng(number).normal(0, 2, (SIZE, SIZE, 3)), 0, 255)
        landmarks = _landmarks(yaw)
        metadata = FaceMetadata("whole_face", landmarks, f"{number:05d}.png", [0, 0, side, side], landmarks)
        save_face(folder / f"{number:05d}_0.jpg", image.astype(np.uint8), metadata, 95)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Frontal, evenly lit source; destination also turned left, and some of it dark."""
    workspace = tmp_path_factory.mktemp("report <&>")
    source = _make(workspace / "data_src" / "aligned", np.linspace(-12, 12, 24))
    destination = _make(workspace / "data_dst" / "aligned", np.linspace(-10, 55, 30), 0.6, side=200)
    save_face(source / "00090_0.jpg", _pattern(77), FaceMetadata("whole_face", _landmarks(0), "00090.png"), 95)
    outside = FaceMetadata("whole_face", _landmarks(0) + SIZE, "00091.png")
    save_face(source / "00091_0.jpg", _pattern(0), outside, 95)
    (source / "not a face.jpg").write_bytes((source / "00000_0.jpg").read_bytes()[:40])
    output = workspace / "page.html"
    return output, write_report(output, source, destination)


def test_counts_and_coverage(report):
    _, surveys = report
    assert {side: len(survey.faces) for side, survey in surveys.items()} == {"src": 26, "dst": 30}
    for survey in surveys.values():
        assert coverage(survey).shape == (12, 18) and coverage(survey).sum() == len(survey.faces)
    turned = surveys["dst"].column("yaw")
    assert turned.max() > 30 and (np.diff(turned) > 0).mean() > 0.9
    assert coverage(surveys["dst"])[:, 13:].sum() >= 3 and coverage(surveys["src"])[:, 13:].sum() == 0


def test_gaps_are_named(report):
    _, surveys = report
    gaps = find_gaps(surveys)
    assert any(re.fullmatch(r"dst has \d+ faces with yaw of 30…60° to the left, src none\.", gap) for gap in gaps)
    assert "dst has 30 faces darker than any of src." in gaps
    assert "dst has 30 faces larger in their frames than any of src." in gaps
    assert not any("right" in gap for gap in gaps)
    assert find_gaps({"src": surveys["dst"], "dst": surveys["dst"]}) == []
    assert find_gaps({"src": surveys["src"]}) == []


def test_suspects_are_found_with_reasons(report):
    _, surveys = report
    suspects = {face.name: reason for face, reason in surveys["src"].suspects}
    assert suspects["00090_0.jpg"] == "unlike the other faces"
    assert "outside the picture" in suspects["00091_0.jpg"]
    assert len(suspects) == 2 and surveys["dst"].suspects == []


class _Checker(HTMLParser):
    """Follows the tags of a page; anything left open or closed twice is noted."""

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def test_page_is_whole_and_needs_nothing_from_elsewhere(report):
    output, _ = report
    checker = _Checker()
    checker.feed(output.read_text(encoding="utf-8"))
    assert checker.faults == [] and checker.open == []
    assert checker.links and all(link.startswith("data:image/jpeg;base64,") for link in checker.links)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this computer")
def test_page_in_a_browser(report, tmp_path):
    output, _ = report
    picture = tmp_path / "page.png"
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'user'}",
        "--window-size=1200,1500", f"--screenshot={picture}", output.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    image = cv2.imread(str(picture))
    assert image.shape[0] == 1500 and image.shape[1] == 1200
    hue, saturation, _ = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    blue, orange = ((abs(hue.astype(int) - wanted) < 6) & (saturation > 120) for wanted in (109, 13))
    assert blue.sum() > 300 and orange.sum() > 300, "the heat maps of both sides are drawn"
    assert (np.mean(image, axis=2) < 128).mean() > 0.005, "there is text"


def test_heat_map_draws_row_zero_at_the_bottom():
    svg = heat_map(np.array([[5, 0], [0, 0]]), [0, 1, 2], [0, 1, 2], 5, "#123456", "test")
    filled = re.search(r'<rect x="(\d+)" y="(\d+)"[^>]*#123456', svg)
    others = [int(y) for y in re.findall(r'<rect x="\d+" y="(\d+)"[^>]*#f1f1f1', svg)]
    assert int(filled.group(2)) == max(others) and "yaw 0…1°, pitch 0…1°: 5" in svg


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "main.py", "facesettool", "report", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_command(tmp_path):
    source = _make(tmp_path / "data_src" / "aligned", [0, 5, -5])
    destination = _make(tmp_path / "data_dst" / "aligned", [0, 40, 42, 44])
    result = _run("--src-dir", source, "--dst-dir", destination)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "faceset_report.html").is_file() and "src none." in result.stdout
    assert _run("--dst-dir", destination).returncode == 0
    assert (tmp_path / "data_dst" / "faceset_report.html").is_file()
    nothing = _run()
    assert nothing.returncode == 2 and "--src-dir" in nothing.stderr
    (tmp_path / "empty").mkdir()
    empty = _run("--src-dir", tmp_path / "empty")
    assert empty.returncode == 3 and "Traceback" not in empty.stderr
