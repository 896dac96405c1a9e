"""The file map names every module, and says of each what the module itself says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import make_file_map  # noqa: E402


def test_the_file_map_is_current():
    script = ROOT / "scripts" / "make_file_map.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"Run scripts/make_file_map.py; this differs:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("What a file is for. And more.", "What a file is for"),
        ("Sizes, e.g. of pictures,\nover two lines.\n\nMore.", "Sizes, e.g. of pictures, over two lines"),
        ("Writes ``a.json`` by :func:`~core.files.write`.", "Writes `a.json` by `core.files.write`"),
        ("One | two.", r"One \| two"),
        ("", ""),
    ],
)
def test_first_sentence(tmp_path, text, sentence):
    path = tmp_path / "module.py"
    path.write_text(f'"""{text}"""\n', encoding="utf-8")
    assert make_file_map.first_sentence(path) == sentence


def test_every_module_has_its_line():
    page = make_file_map.file_map()
    for room in make_file_map.ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if path.name != "__init__.py":
                assert f"- `{path.name}`: {make_file_map.first_sentence(path)}\n" in page + "\n", path
