"""Pretends that the process is killed at the n-th change that it makes on disk."""

import builtins
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.files.temporary import is_temporary


class Killed(BaseException):
    """The process is dead; nothing that follows, not even cleaning up, has an effect."""


class _Disk:
    def __init__(self, limit):
        self.limit, self.count, self.dead = limit, 0, False

    def change(self):
        self.count += 1
        if self.dead or self.count > self.limit:
            self.dead = True
            raise Killed


class _Writer:
    """A file opened for writing whose writes count; the last one before death reaches the disk only in part."""

    def __init__(self, stream, disk):
        self._stream, self._disk = stream, disk

    def write(self, data):
        half = memoryview(data)[: len(data) // 2]
        if self._disk.dead:
            raise Killed
        try:
            self._disk.change()
        except Killed:
            self._stream.write(half)
            self._stream.flush()
            raise
        return self._stream.write(data)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self._stream.close()


@contextmanager
def killed_after(limit):
    """Within this context the process "dies" at its (limit + 1)-th change on disk; yields an object with ``dead``."""
    disk = _Disk(limit)
    real_open = builtins.open

    def patched_open(file, mode="r", *arguments, **options):
        if not set(mode) & set("wax+"):
            return real_open(file, mode, *arguments, **options)
        disk.change()
        return _Writer(real_open(file, mode, *arguments, **options), disk)

    def counted(function):
        def call(*arguments, **options):
            disk.change()
            return function(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", patched_open)
        for name in ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(tempfile, "mkstemp", counted(tempfile.mkstemp))
        patch.setattr(shutil, "_USE_CP_SENDFILE", False, raising=False)
        yield disk


def _bury(folder):
    """Remove the temporary files of the process that is dead now, as the next one would, which this one only plays."""
    for place in (folder, folder.with_name(f"{folder.name}_trash")):
        for path in place.rglob(".*"):
            if is_temporary(path) and path.is_file():
                path.unlink()


def at_every_moment(prepare, work, check, tmp_path, most=2000):
    """Run ``work(folder)`` on fresh folders made by ``prepare(folder)``, killed one change later each time.

    ``check(folder, finished)`` looks at what is left. Returns the number of moments.
    """
    for limit in range(most):
        folder = tmp_path / f"moment_{limit}"
        folder.mkdir()
        prepare(folder)
        with killed_after(limit) as disk:
            try:
                work(Path(folder))
            except Killed:
                pass
        if disk.dead:
            _bury(folder)
        check(folder, not disk.dead)
        shutil.rmtree(folder)
        if not disk.dead:
            return limit
    raise AssertionError("it never finished")
