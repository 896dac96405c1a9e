"""Jobs and answers files with mistakes, or made to hurt, are refused in one line that names the place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_yaml import as_yaml, bomb, trees
from hypothesis import HealthCheck, given, settings

from core.console import interact
from core.console.answers import Answers
from core.errors import UsageError, UserError
from main import build_parser
from mainscripts import run as job_runner
from mainscripts.jobs.job import LONGEST_WORD, STATE_NAME, JobState, load_jobs
from mainscripts.jobs.step_table import PlaceholderError, fill
from mainscripts.run import _check_command

ROOT = Path(__file__).resolve().parents[2]


def job(tmp_path, text):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"workspace: {bomb()}\nsteps: [sort-src]", "line 1, workspace .*more than 50000 values"),
        (f"steps:\n - sort-src: {{by: {bomb()}}}", "line 2, steps > 1 > sort-src > by .*more than 50000 values"),
        (f"steps:\n - command: {bomb()}", "steps > 1 > command .*more than 50000 values"),
        (
            "steps:\n - command: [sort, '{S:>9999999999}']",
            "line 2, step 1 > command > 2: {S:>9999999999} is no placeholder",
        ),
        ("steps:\n - command: [sort, '{S']", "step 1 > command > 2: { is no placeholder"),
        ("steps:\n - command: [sort, 'a}b']", "} is no placeholder"),
        ("steps:\n - command: [sort, '{}']", "{} is no placeholder; known are {W}, {S}"),
        ("steps:\n - command: [sort, '{0}']", "\\{0\\} is no placeholder"),
        ("steps:\n - command: [sort, '{S.__class__}']", "{S.__class__} is no placeholder"),
        ("steps:\n - command: [sort, '{S!r}']", "{S!r} is no placeholder"),
        ("steps:\n - sort-src\n - command: [sort]\n   reads: ['{0xS}']", "line 4, step 2 > reads > 1: {0xS} is no"),
        ("steps:\n - command: [sort]\n   writes: ['{S}/align{{{ed']", "step 1 > writes > 1: { is no placeholder"),
        ("steps:\n - command: [sort]\n   reads: '{S}'", "step 1 > reads: expected a list of paths"),
        ("steps:\n - command: [sort]\n   read: ['{S}']", "unknown keys: read"),
        ("steps:\n - command: []", "'command' must be a list of words"),
        ("steps:\n - command: sort", "'command' must be a list of words, not 'sort'"),
        ("steps:\n - command: [sort, [x]]", "step 1 > command > 2: expected a text, found a list"),
        ("steps:\n - command: [sort, ~]", "expected a text, found nothing"),
        ("steps:\n - command: [sort]\n   reads: ['/*/*/*/*']", "may be in 2 parts"),
        ("steps:\n - command: [sort]\n   reads: ['/*/../*']", "not together with"),
        ("steps:\n - cut-video", "step 1, cut-video: {FILE} is no placeholder"),
        ("steps: [sort-src, [x]]", "step 2: expected 'name' or 'name: {flag: value}', found a list"),
        ("steps: [sort-src, ~]", "step 2: expected 'name'.*found nothing"),
        ("steps: [{a: 1, b: 2}]", "step 1: expected 'name'"),
        ("steps: [{3: 1}]", "no step is called 3"),
        ("steps: {a: b}", "needs a list of 'steps'"),
        ("steps: [{sort-src: {by: {x: 1}}}]", "step 1, sort-src > by: expected a text, a number, true or false"),
        ("steps: [{sort-src: {by: [[x]]}}]", "step 1, sort-src > by > 1: expected a text"),
        ("steps: [{sort-src: x}]", "must be a mapping of flags, not 'x'"),
        ("steps: [{sort-src: {by: " + "9" * 5000 + "}}]", "by: a number of 5000 characters"),
        ("steps: [{sort-src: {by: '" + "9" * 5000 + "'}}]", "by: is 5000 characters long"),
        ("steps: [sort-src]\nworkspace: [a]", "workspace: expected a text, found a list"),
        ('steps: [sort-src]\nworkspace: "a\\0b"', "cannot be used"),
        ("steps: [sort-src]\nworkspace: " + "w" * 4090, "a word of .* characters"),
        ("steps: [sort-src]\nname: {a: b}", "name: expected a text"),
        ("steps: [sort-src]\nconfirm-all: 'no'", "confirm-all: expected true or false, found 'no'"),
        ("jobs: {steps: []}", "expected a list of jobs, found a mapping"),
        ("jobs: [x]", "job 1: expected a mapping with 'steps', found 'x'"),
        ("jobs: [{steps: [sort-src]}, {steps: [sort-src, sort-scr]}]", "job 2, step 2: no step is called 'sort-scr'"),
        ("jobs: [{steps: [sort-src]}]\nworkspace: x", "unknown keys: workspace"),
        ("jobs: [{name: a, steps: [sort-src]}, {name: a, steps: [sort-src]}]", "two jobs of one workspace"),
        ("steps: [sort-src]\nsteps: [sort-dst]", "the key steps is there twice"),
        ("", "needs a list of 'steps'"),
    ],
)
def test_a_mistake_in_a_job_names_its_place(tmp_path, text, problem):
    with pytest.raises(UsageError, match=problem) as failure:
        load_jobs(job(tmp_path, text))
    message = str(failure.value)
    assert message.count("job.yaml") == 1 and "\n" not in message and len(message) < 600


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("videoed", "step 1, command videoed: the command needs the name of a step after it"),
        ("sort, --by, " + "x" * 4000, "step 1, command sort: main.py sort: error"),
        ("sort, --input-dir, x, --threshold, " + "9" * 4000 + "x", "step 1, command sort: --threshold is "),
        ("--help", "step 1, command --help"),
        ("nothing", "invalid choice: 'nothing'"),
    ],
)
def test_a_mistyped_command_is_one_short_line(tmp_path, words, problem):
    path = job(tmp_path, f"steps: [{{command: [{words}]}}]")
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "run", str(path), "--dry-run"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and problem in done.stderr and len(done.stderr) < 700 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("workspace", "problem"),
    [("job.yaml", "Not a directory|cannot be"), ("job.yaml/x", "Not a directory|cannot be"), ("w" * 300, "name too long"),
     ("~nobody/at/home", None), ("a\tb", None), ("..", None)],
)  # fmt: skip
def test_a_workspace_that_cannot_be_is_one_line(tmp_path, workspace, problem):
    folder = tmp_path / "jobs"
    folder.mkdir()
    path = job(folder, f"workspace: {workspace!r}\nsteps: [{{command: [doctor], writes: ['{{W}}/x']}}]")
    options = build_parser().parse_args(["run", str(path), "--dry-run"])
    if problem is None:
        job_runner.run(options)
    else:
        with pytest.raises(UserError, match=problem):
            job_runner.run(options)


def test_watched_files_may_have_names_that_are_no_utf_8(tmp_path):
    (tmp_path / "\udcff.png").write_bytes(b"x")
    state = JobState(tmp_path / STATE_NAME)
    digest = state.fingerprint(str(tmp_path))
    state.save()
    assert JobState.load(tmp_path).fingerprint(str(tmp_path)) == digest


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(UserError, match="locked: cannot be listed"):
        JobState(tmp_path / STATE_NAME).fingerprint(str(tmp_path / "locked"))


@pytest.mark.parametrize("steps", ["run, '{W}/job.yaml'", "run, '{W}/other.yaml'"])
def test_a_job_that_runs_itself_ends(tmp_path, steps):
    path = job(tmp_path, f"workspace: .\nsteps: [{{command: [{steps}]}}]")
    (tmp_path / "other.yaml").write_text("name: other\nworkspace: .\nsteps: [{command: [run, '{W}/job.yaml']}]")
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "run", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "job.yaml: this job is a step of itself" in done.stderr


def test_placeholders_are_replaced_literally():
    places = {"W": "/a {S} {{b}} %s", "S": "/s"}
    assert fill("x{W}/{S}{{W}}", places) == "x/a {S} {{b}} %s//s{W}"
    assert fill("%(W)s %s $W", places) == "%(W)s %s $W"
    with pytest.raises(PlaceholderError, match="known are {W}, {S}"):
        fill("{w}", places)


def test_a_workspace_with_braces_is_no_placeholder(tmp_path):
    (read,) = load_jobs(job(tmp_path, "workspace: 'a {x} b'\nsteps: [sort-src]"))
    assert read.steps[0].commands[0][:3] == ("sort", "--input-dir", str(tmp_path / "a {x} b" / "data_src" / "aligned"))


def test_a_shared_block_of_flags_may_be_merged(tmp_path):
    (read,) = load_jobs(
        job(tmp_path, "steps:\n - sort-src: &flags {by: hist}\n - sort-dst: {<<: *flags, threshold: 2}")
    )
    assert read.steps[1].commands[0][-4:] == ("--threshold", "2", "--by", "hist")


def test_words_just_within_the_limit_are_taken(tmp_path):
    (read,) = load_jobs(job(tmp_path, f"steps: [{{command: [sort, {'x' * LONGEST_WORD}]}}]"))
    assert len(read.steps[0].commands[0][1]) == LONGEST_WORD
    with pytest.raises(UsageError, match="a command of more than 30000 characters"):
        load_jobs(job(tmp_path, f"steps: [{{command: [sort{(', ' + 'x' * 4000) * 8}]}}]"))


KEYS = ["workspace", "steps", "jobs", "name", "confirm-all", "command", "reads", "writes", "sort-src", "cut-video", "by",
        "train-saehd", "set", "Question", "*"]  # fmt: skip


@given(trees(KEYS))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_tree_breaks_the_reading_of_a_job(tmp_path, tree):
    path = tmp_path / "job.yaml"
    for content in (tree, {"steps": tree}, {"steps": [tree]}, {"steps": [{"sort-src": tree}]},
                    {"steps": [{"command": tree, "reads": tree}]}, {"steps": ["sort-src"], "workspace": tree},
                    {"steps": [{"command": ["sort", tree]}]}, {"jobs": [tree]}):  # fmt: skip
        path.write_bytes(as_yaml(content))
        try:
            for read in load_jobs(path):
                for step in read.steps:
                    for command in step.commands:
                        _check_command(path, 1, step, command)
            job_runner.run(build_parser().parse_args(["run", str(path), "--dry-run"]))
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 1500


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"- {bomb()}", "answers.yaml: line 1, 1 .*more than 50000 values"),
        (f"Size: {bomb()}", "more than 50000 values"),
        ("Size: 1\nSize: 2", "the key Size is there twice"),
        ("- Size: 1\n- Size: 2", "Size is there twice; a list gives an answer for each time"),
        ("Size: [1, [2]]", "line 1, Size > 2: a list is not an answer"),
        ("? [a]\n: b", "a key is a list"),
        ("x" * 1001 + ": 1", "a question of 1001 characters|not a readable"),
    ],
)
def test_a_mistake_in_an_answers_file_names_its_place(tmp_path, text, problem):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem) as failure:
        Answers.load(path)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "text", ["9" * 5000, "9" * 4000, "-" + "9" * 400, "nan", "1e999", "-inf", "²", "x" * 9000, "--5", "5/6"]
)
def test_an_answer_that_is_no_usable_number_is_one_short_line(tmp_path, monkeypatch, text):
    (tmp_path / "answers.yaml").write_text(f"- '{text}'\n- '{text}'\n")
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    interact.configure(answers=tmp_path / "answers.yaml")
    try:
        for ask in (interact.ask_int, interact.ask_number):
            with pytest.raises(
                UsageError, match="answers.yaml: .* is not a (whole )?number, for the question"
            ) as failure:
                ask("Size", 1)
            assert len(str(failure.value)) < 400
    finally:
        interact.configure()


@given(trees(KEYS))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_tree_breaks_the_answers(tmp_path, tree):
    path = tmp_path / "answers.yaml"
    path.write_bytes(as_yaml(tree))
    try:
        answers = Answers.load(path)
        answers.take(["Question", "x"])
        answers.unused()
    except UserError as error:
        assert "\n" not in str(error)
