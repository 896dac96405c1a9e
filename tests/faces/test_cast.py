"""The cast of a faceset: who is in it, by which names, and where in time."""

import numpy as np
import pytest
import yaml

import main
from core.console import interact
from core.errors import FormatError, UserError
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.faces.persons import CAST_NAME, person_places, read_cast
from samplelib.report.cast import find_persons, write_cast

COLOURS = {"anna": (200, 40, 40), "bert": (40, 200, 40), "carl": (40, 40, 200)}


class ByColour:
    """Stands for a recognition network: persons are told apart by the colour of their picture."""

    description, threshold = "colour", 0.9

    def crop(self, image, landmarks):
        return image

    def embed(self, crops):
        vectors = np.stack([crop.mean(axis=(0, 1)) for crop in crops]).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def faceset(tmp_path):
    """Anna in six frames, Bert in three of them and one more, Carl in one; returns the folder."""
    seen = {"anna": range(6), "bert": (1, 2, 3, 8), "carl": (5,)}
    for person, frames in seen.items():
        for number in frames:
            picture = np.full((64, 64, 3), COLOURS[person], np.uint8)
            picture[:4] = 10 * number
            metadata = FaceMetadata(
                "whole_face", np.random.default_rng(0).uniform(10, 54, (68, 2)), f"{number:05d}.png"
            )
            save_face(tmp_path / f"{number:05d}_{person}.jpg", picture, metadata, 95)
    return tmp_path


def persons_of(faceset):
    return find_persons(faceset, embedding=ByColour())


def test_persons_come_with_their_faces_and_frames(faceset):
    persons = persons_of(faceset)
    assert [person.name for person in persons] == ["person 1", "person 2", "person 3"]
    assert [{face.name[6:10] for face in person.faces} for person in persons] == [{"anna"}, {"bert"}, {"carl"}]
    assert persons[1].frames == ["00001.png", "00002.png", "00003.png", "00008.png"]


def test_names_that_were_given_stay_with_their_persons(faceset):
    write_cast(faceset, persons_of(faceset))
    path = faceset / CAST_NAME
    path.write_text(path.read_text().replace("person 2", "Bert B.").replace("person 1", "Änna"))
    for face in list(faceset.glob("*_anna.jpg"))[:4]:
        face.unlink()
    assert [person.name for person in persons_of(faceset)] == ["Bert B.", "Änna", "person 3"]


def test_a_name_stands_for_the_pictures_that_the_cast_lists(faceset):
    write_cast(faceset, persons_of(faceset))
    (faceset / CAST_NAME).write_text((faceset / CAST_NAME).read_text().replace("person 2", "Bert"))
    (faceset / "00002_bert.jpg").unlink()
    found = person_places([faceset / "Bert", faceset / "00001_anna.jpg"], faceset)
    assert sorted(path.name for path in found) == [
        "00001_anna.jpg",
        "00001_bert.jpg",
        "00003_bert.jpg",
        "00008_bert.jpg",
    ]
    with pytest.raises(
        UserError, match="Zoe: no such file, and no name of a cast; the cast of .* is person 1, Bert, person 3"
    ):
        person_places([faceset / "Zoe"], faceset)
    for face in faceset.glob("*_bert.jpg"):
        face.unlink()
    with pytest.raises(UserError, match="Bert: none of the pictures"):
        person_places([faceset / "Bert"], faceset)


def test_the_page_shows_everybody_and_their_time(faceset):
    page, names = write_cast(faceset, persons_of(faceset))
    text = page.read_text()
    assert "3 persons in 7 frames" in text and text.count("<h2>") == 3 and text.count("<img ") == 11
    assert "4 faces in 4 frames: 00001.png … 00008.png" in text
    # Bert: frames 1 to 3 in one piece, and the last of the seven.
    assert '<rect x="1" y="0" width="3"' in text and '<rect x="6" y="0" width="1"' in text
    assert yaml.safe_load(names.read_text())["persons"][2] == {"name": "person 3", "pictures": ["00005_carl.jpg"]}


def test_markup_in_names_is_shown_as_text(faceset):
    write_cast(faceset, persons_of(faceset))
    path = faceset / CAST_NAME
    path.write_text(path.read_text().replace("name: person 1", "name: '<script>alert(1)</script>'"))
    page, _ = write_cast(faceset, persons_of(faceset))
    assert "<script" not in page.read_text() and "&lt;script&gt;" in page.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("persons:\n- name: a\n  pictures: [x.jpg]\n- name: a\n  pictures: []\n", "the name a is given twice"),
        ("persons:\n- name: a\n", "a person with name and pictures"),
        ("persons: 5\n", "a list"),
        ("people: []\n", "unknown keys: people"),
        ("persons: [\n", "line"),
        ("", "a list of persons"),
        ("persons:\n- name: a\n  pictures: [../x.jpg]\n", "the name of a picture"),
        ("persons:\n- name: a\n  pictures: [/etc/x.jpg]\n", "the name of a picture"),
    ],
)
def test_a_file_that_is_no_cast_says_where(tmp_path, text, told):
    (tmp_path / CAST_NAME).write_text(text)
    with pytest.raises(FormatError, match=told):
        read_cast(tmp_path / CAST_NAME)


def test_the_command_tells_whom_it_found(faceset, monkeypatch, capsys):
    monkeypatch.setattr("samplelib.report.cast.open_embedding", lambda model=None, name=None: ByColour())
    before = {path.name: path.read_bytes() for path in faceset.iterdir()}
    assert main.main(["facesettool", "cast", "--input-dir", str(faceset), "--keep-priority", "--yes"]) == 0
    told = capsys.readouterr().out
    assert "person 1: 6 faces in 6 frames" in told and "person 3: 1 face in 1 frame" in told and "cast.html" in told
    assert all((faceset / name).read_bytes() == data for name, data in before.items())
    empty = faceset / "empty"
    empty.mkdir()
    assert main.main(["facesettool", "cast", "--input-dir", str(empty), "--keep-priority", "--yes"]) != 0
    interact.configure(assume_yes=False)


def test_sorting_keeps_a_person_by_name(faceset, monkeypatch):
    write_cast(faceset, persons_of(faceset))
    (faceset / CAST_NAME).write_text((faceset / CAST_NAME).read_text().replace("person 2", "Bert"))
    monkeypatch.setattr("samplelib.faces.persons.open_embedding", lambda model=None, name=None: ByColour())
    arguments = [
        "sort",
        "--input-dir",
        str(faceset),
        "--by",
        "identity",
        "--identity",
        str(faceset / "Bert"),
        "--keep-priority",
    ]
    assert main.main([*arguments, "--yes"]) == 0
    interact.configure(assume_yes=False)
    assert sorted(path.name for path in faceset.glob("*.jpg")) == [f"0000{number}_bert.jpg" for number in (1, 2, 3, 8)]
    assert len(list(faceset.with_name(f"{faceset.name}_trash").glob("*.jpg"))) == 7


def test_names_and_pages_that_would_be_lost_are_kept(faceset, capsys):
    write_cast(faceset, persons_of(faceset))
    names = faceset / CAST_NAME
    names.write_text(names.read_text().replace("person 2", "Bert"))
    for number, face in enumerate(sorted(faceset.glob("*.jpg"))):
        face.rename(faceset / f"{number:05d}.jpg")
    (faceset / "cast.html").write_text("my notes")
    write_cast(faceset, persons_of(faceset))
    assert "Bert" in (faceset / "cast_old.yaml").read_text() and "Bert" not in names.read_text()
    assert (faceset / "cast_old.html").read_text() == "my notes"
    told = capsys.readouterr()
    assert (
        "Nobody is found for Bert" in told.err and "cast_old.yaml" in told.err and "cast.html was no cast" in told.out
    )
    write_cast(faceset, persons_of(faceset))
    assert len(list(faceset.glob("cast*"))) == 4, "numbered names are nobody's work"
