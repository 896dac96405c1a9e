"""Pictures of kinds that no step reads are named instead of being passed over in silence."""

import cv2
import numpy as np
import pytest

import main
from core.files.paths import list_images

COMMANDS = {
    "extract": ["extract", "--input-dir", "{F}", "--output-dir", "{T}/out", "--detector", "embedded", "--yes"],
    "sort": ["sort", "--input-dir", "{F}", "--by", "hue", "--dry-run", "--yes"],
    "denoise": ["videoed", "denoise-image-sequence", "--input-dir", "{F}", "--factor", "3"],
    "video": ["videoed", "video-from-sequence", "--input-dir", "{F}", "--output-file", "{T}/o.mp4", "--yes",
              "--no-provenance"],
    "util": ["util", "--input-dir", "{F}", "--add-landmarks-debug-images", "--yes"],
    "xseg": ["xseg", "remove", "--input-dir", "{F}", "--yes"],
    "resize": ["facesettool", "resize", "--input-dir", "{F}", "--yes"],
}  # fmt: skip


@pytest.fixture
def mixed(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    image = np.full((64, 64, 3), 90, np.uint8)
    for name in ("a.png", "b.webp", "c.bmp", "d.jp2", "e.png"):
        cv2.imwrite(str(folder / name), image)
    for name in ("f.GIF", "g.heic", "notes.txt", ".hidden.webp"):
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_lists_pictures_names_them_once(mixed, tmp_path, capsys, command):
    main.main([word.format(F=mixed, T=tmp_path) for word in COMMANDS[command]])
    told = capsys.readouterr().err
    line = "5 pictures are passed over, being of a kind that is not read: b.webp, c.bmp, d.jp2, f.GIF, g.heic. Convert"
    assert told.count(line) == 1 and str(mixed) in told, told


def test_merging_names_them_too(mixed, tmp_path, capsys):
    (tmp_path / "aligned").mkdir()
    (tmp_path / "model").mkdir()
    words = ["merge", "--input-dir", mixed, "--output-dir", tmp_path / "m", "--output-mask-dir", tmp_path / "mm",
             "--aligned-dir", tmp_path / "aligned", "--model-dir", tmp_path / "model", "--model", "SAEHD", "--yes"]  # fmt: skip
    main.main([str(word) for word in words])
    assert "b.webp, c.bmp, d.jp2, f.GIF, g.heic" in capsys.readouterr().err


def test_it_is_said_again_only_when_there_are_others(mixed, capsys):
    assert [path.name for path in list_images(mixed)] == ["a.png", "e.png"]
    list_images(mixed)
    assert capsys.readouterr().err.count("passed over") == 1
    (mixed / "z.tga").write_bytes(b"x")
    list_images(mixed)
    assert "z.tga" in capsys.readouterr().err


def test_many_are_counted_and_some_named(tmp_path, capsys):
    for number in range(30):
        (tmp_path / f"{number}.bmp").write_bytes(b"x")
    list_images(tmp_path)
    told = capsys.readouterr().err
    assert "30 pictures" in told and "9.bmp …" in told and "10.bmp" not in told
