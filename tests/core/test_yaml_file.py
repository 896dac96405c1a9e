"""YAML files are read within limits: values as safe_load gives them, and one line for everything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hostile_yaml import as_yaml, bomb, merge_bomb, trees
from hypothesis import HealthCheck, given, settings

from core.errors import FormatError, UserError
from core.records.yaml_file import Limits, read_yaml

ROOT = Path(__file__).resolve().parents[2]


def typed(value):
    """A value with the type of each part, so that 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {(type(key), key): typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@pytest.fixture(params=["C parser", "Python parser"])
def read(request, tmp_path, monkeypatch):
    """Plain values of a text, by both parsers of the YAML package."""
    if request.param == "Python parser":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    def reader(text, **options):
        path = tmp_path / "file.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_yaml(path, **options).plain()

    return reader


@pytest.mark.parametrize(
    "text",
    ["a: 1\nb: [x, 2.5, true, null, ~]\nc: {d: 'e', 3: yes}", "[]", "- a\n- [b, c]", "text", "", "a: 0x1F\nb: 010\nc: 1_000",
     "a: |\n  two\n  lines\nb: >-\n  one\n  line", "x: &x {p: 1, q: 2}\ny: {<<: *x, q: 3}\nz: {<<: [*x, {r: 5}]}",
     "a: &n 5\nb: [*n, *n]", "a: '<<'\n'<<': 3", "a: !!str 5\nb: !!int '7'\nc: !!float 1", "a: .5\nb: 1e3\nc: 1.0e+3\nd: -0",
     "&k key: 1\nother: *k", "a: 99999999999999999\nb: -4"],
)  # fmt: skip
def test_values_are_those_of_the_yaml_package(read, text):
    assert typed(read(text)) == typed(yaml.safe_load(text))


def test_dates_times_and_halves_of_numbers_stay_text(read):
    assert read("a: 2020-01-01\nb: 2020-13-45\nc: 1:30:00\nd: 0b_\ne: =") == {
        "a": "2020-01-01", "b": "2020-13-45", "c": "1:30:00", "d": "0b_", "e": "=",
    }  # fmt: skip


def test_texts_only(read):
    assert read("a: 010\nb: [no, 2020-01-01, ~]", as_text=True) == {"a": "010", "b": ["no", "2020-01-01", "~"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (bomb(), "line 1, .*more than 50000 values"),
        (f"a: 1\nb: {bomb()}", "line 2, b .*more than 50000 values"),
        (merge_bomb(), "more than (50000 values|12 lists)"),
        (
            "a: &a {" + ",".join(f"k{i}: {i}" for i in range(300)) + "}\nb: [" + "{<<: *a}," * 300 + "]",
            "more than 50000",
        ),
        ("[" * 100, "more than 12 lists or mappings|nesting"),
        ("- &a [1]\n" + "".join(f"- &a{i} [*a{i - 1 if i else ''}]\n" for i in range(40)), "more than 12 lists"),
        ("[" + "x," * 60000 + "]", "more than 50000 values"),
        ("a: " + "9" * 5000, "line 1, a: a number of 5000 characters"),
        ("a: 1\nb: [3, 0x" + "f" * 5000 + "]", "line 2, b > 2: a number of 5002 characters"),
        ("a: 0x" + "f" * 20, "finite and below 2"),
        ("a: 9999999999999999999", "finite and below 2"),
        ("a: .nan", "a: .nan is no number that can be used"),
        ("a: -.inf", "is no number"),
        ("a: 1.0e+999", "is no number"),
        ("a: " + "x" * 10001, "a text of 10001 characters"),
        ("a: 1\nb: 2\na: 3", "line 3: the key a is there twice, first in line 1"),
        ("1: a\n1.0: b", "twice"),
        ("a: *b", "a: \\*b stands for nothing|undefined alias"),
        ("a: &a [*a]", "&a holds itself"),
        ("? [a]\n: b", "a key is a list or a mapping"),
        ("? {a: 1}\n: b", "a key is a list or a mapping"),
        ("x: &x [1]\n? *x\n: b", "a key is a list or a mapping"),
        ("<<: 5", "<< must stand for a mapping"),
        ("a: !!python/object/apply:os.system [x]", "the tag !!python/object/apply:os.system is not allowed"),
        ("a: !own 1", "the tag !own is not allowed"),
        ("a: !!binary aGk=", "tag !!binary is not allowed"),
        ("a: !!set {b}", "tag !!set is not allowed"),
        ("a: !!int x", "'x' is not of the type !!int"),
        ("a: !!bool x", "'x' is not of the type !!bool"),
        ("a: b\n---\nc: d", "a second document begins"),
        ('a: "\\0"', "a character that cannot be used"),
        ('a: "\\ud800"', "cannot be used|escape code"),
        ('a: "\\UFFFFFFFF"', "not a readable YAML file"),
        ("%YAML 1." + "9" * 5000 + "\n---\na", "not a readable YAML file"),
        ("a: [", "not a readable YAML file \\(line"),
        ("\tb: x", "not a readable YAML file"),
        (b"a: \x00", "not a readable YAML file"),
        (b"\xff\xfea\0:\0", "is a binary file"),
        (b"a: \xe9", "is not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is a binary file"),
        (b"#" * 1_000_001, "is longer than 1 MB"),
    ],
)
def test_each_fault_is_one_line_that_names_the_place(read, text, problem):
    with pytest.raises(FormatError, match=problem) as failure:
        read(text)
    message = str(failure.value)
    assert message.count("file.yaml: ") == 1 and "\n" not in message and len(message) < 600


def test_byte_order_mark_and_windows_lines(read):
    assert read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


def test_own_limits(read):
    assert read("a: {0: 1, 5: 2}", limits=Limits(depth=2)) == {"a": {0: 1, 5: 2}}
    with pytest.raises(FormatError, match="more than 2 lists"):
        read("a: {0: [1]}", limits=Limits(depth=2))
    with pytest.raises(FormatError, match="more than 4 values"):
        read("[1, 2, 3, 4]", limits=Limits(values=4))


@pytest.mark.parametrize("name", ["folder", "pipe", "none", "none/deeper", "device", "\0"])
def test_what_is_no_file_is_named(tmp_path, name):
    path = Path("/dev/zero") if name == "device" else tmp_path / name
    if name == "folder":
        path.mkdir()
    if name == "pipe":
        os.mkfifo(path)
    with pytest.raises(FormatError, match="no such job|is no file|no name of a file"):
        read_yaml(path, "job file")


@given(trees(["a", "<<", "b"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_small_tree_is_read_or_refused(tmp_path, tree):
    path = tmp_path / "any.yaml"
    path.write_bytes(as_yaml(tree))
    try:
        read_yaml(path)
    except UserError as error:
        assert "\n" not in str(error)


PROGRAM = """
import resource, sys
from pathlib import Path
import yaml
from core.errors import FormatError
from core.records.yaml_file import read_yaml
taken = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (taken + (100 << 20),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
for path in sys.argv[1:]:
    try:
        read_yaml(Path(path))
    except FormatError as error:
        print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is limited as Linux does it")
def test_hostile_files_stay_within_100_mb_more(tmp_path):
    texts = {
        "bomb": bomb(), "wide": "[" + "x," * 400_000 + "]", "deep": "[" * 900_000, "dashes": "- " * 400_000,
        "anchors": "".join(f"&a{i} x\n" for i in range(90_000)), "keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
        "text": "a: " + "x" * 900_000, "quoted": '"' + "\\x41" * 200_000, "tags": "!x " * 300_000, "comment": "#" * 999_999,
        "merge": merge_bomb(),
    }  # fmt: skip
    paths = []
    for name, text in texts.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == len(texts) - 1  # a comment is no fault
