"""A generation of files is put down whole or not at all, whenever the program dies."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from core.errors import FormatError, UserError
from models.saved import transaction
from models.saved.lock import ModelLock, is_locked

NAMES = ("m_SAEHD_encoder.npy", "m_SAEHD_data.dat", "m_SAEHD_src_dst_opt.npy", "m_SAEHD_summary.txt")


def contents(folder):
    return {(folder / name).read_bytes().split(b":")[0] for name in NAMES}


def put(folder, generation, size=1000):
    transaction.commit(folder, "m_SAEHD", dict.fromkeys(NAMES, b"%d:" % generation + b"x" * size))


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", range(0, 40))
def test_a_crash_at_any_system_call_leaves_a_whole_generation(tmp_path, monkeypatch, step):
    put(tmp_path, 1)
    calls = {"left": step}

    def crashing(function):
        def call(*arguments, **keywords):
            if calls["left"] == 0:
                raise Crash
            calls["left"] -= 1
            return function(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync", "unlink"):
            patch.setattr(os, name, crashing(getattr(os, name)))
        # A process that dies cleans nothing up.
        patch.setattr(transaction, "_drop_temporaries", lambda *arguments: None)
        try:
            put(tmp_path, 2)
            died = False
        except Crash:
            died = True
    transaction.recover(tmp_path, "m_SAEHD")
    assert contents(tmp_path) in ({b"1"}, {b"2"})
    assert died or contents(tmp_path) == {b"2"}
    leftovers = {path.name for path in tmp_path.iterdir()} - set(NAMES)
    assert all(name.startswith(".") for name in leftovers)
    put(tmp_path, 3)
    assert contents(tmp_path) == {b"3"}


def test_a_full_disk_keeps_the_old_generation(tmp_path, monkeypatch):
    put(tmp_path, 1)

    def full(path, content):
        if "opt" in path.name:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(transaction, "_write_flushed", full)
    with pytest.raises(UserError, match="No space left on device.*The model was not saved"):
        put(tmp_path, 2)
    assert contents(tmp_path) == {b"1"}
    assert not list(tmp_path.glob("*.tmp"))


def test_a_failing_content_keeps_the_old_generation(tmp_path):
    put(tmp_path, 1)

    def fail():
        raise UserError("not finite")

    with pytest.raises(UserError, match="not finite"):
        transaction.commit(tmp_path, "m_SAEHD", {NAMES[0]: b"2:", NAMES[1]: fail})
    assert contents(tmp_path) == {b"1"}


@pytest.mark.parametrize("text", ["{", '{"files": ["../x"]}', "[]"])
def test_a_damaged_journal_is_refused(tmp_path, text):
    (tmp_path / "m_SAEHD_commit.json").write_text(text)
    with pytest.raises(FormatError):
        transaction.recover(tmp_path, "m_SAEHD")


_KILLED = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from models.saved import transaction
names = sys.argv[3].split(",")
generation = 0
while True:
    generation += 1
    transaction.commit(Path(sys.argv[2]), "m_SAEHD", {n: b"%d:" % generation + b"x" * 300_000 for n in names})
    print(generation, flush=True)
"""


@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path, kills):
    """kill -9 again and again: what is found is one generation, the last reported or the one in work."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    choice = random.Random(1)
    for _ in range(kills):
        command = [sys.executable, "-c", _KILLED, root, str(tmp_path), ",".join(NAMES)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(choice.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        reported = process.stdout.read().split()
        process.wait()
        transaction.recover(tmp_path, "m_SAEHD")
        (found,) = contents(tmp_path)
        assert int(found) in (int(reported[-1]) if reported else 1, (int(reported[-1]) if reported else 1) + 1)


def test_lock_keeps_a_second_trainer_out_and_names_the_first(tmp_path):
    with ModelLock(tmp_path, "m_SAEHD"):
        assert is_locked(tmp_path, "m_SAEHD")
        with pytest.raises(UserError, match=f"being trained by process {os.getpid()}"), ModelLock(tmp_path, "m_SAEHD"):
            pass
    assert not is_locked(tmp_path, "m_SAEHD")
    with ModelLock(tmp_path, "m_SAEHD"):
        pass


def test_a_dead_trainers_lock_is_free(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from models.saved.lock import ModelLock\n"
        "lock = ModelLock(Path(sys.argv[2]), 'm_SAEHD').__enter__(); print('locked', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    assert is_locked(tmp_path, "m_SAEHD")
    process.kill()
    process.wait()
    assert not is_locked(tmp_path, "m_SAEHD")
    process.stdout.close()


def test_readers_finish_the_commit_of_a_dead_trainer(tmp_path):
    put(tmp_path, 1)
    for name in NAMES:
        (tmp_path / f"{name}.tmp").write_bytes(b"2:")
    (tmp_path / "m_SAEHD_commit.json").write_text(json.dumps({"files": NAMES}))
    transaction.wait_until_whole(tmp_path, "m_SAEHD")
    assert contents(tmp_path) == {b"2"}
