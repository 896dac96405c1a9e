"""A video that is in the way of a new one is kept under another name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.console import interact
from core.errors import UserError
from core.files.paths import free_name, remove_if_present


@contextmanager
def keeping_video(output: Path) -> Iterator[None]:
    """Keep a video that is replaced meanwhile under another name. When nothing comes in its place, it keeps its name."""
    output = Path(output)
    place = free_name(output.with_name(f"{output.stem}_old{output.suffix}"))
    _double(output, place)
    try:
        yield
    except BaseException:
        remove_if_present(place)
        raise
    interact.info(f"The {output.name} that was there, and may exist nowhere else, is called {place.name} now.")


def _double(source, target):
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copy2(source, target)
        except OSError as error:
            raise UserError(f"{source}: cannot be kept as {target.name} ({error.strerror or error}).") from None
