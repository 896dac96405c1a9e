"""What becomes of a video that is in the way of a new one: results are replaced, all else is kept under another name."""

import os
import shutil
from contextlib import contextmanager, nullcontext
from pathlib import Path

from core.console import interact
from core.errors import UserError
from core.files.paths import free_name, remove_if_present


def keeping_video_of_others(output: Path):
    """As :func:`keeping_video`, unless the marks of the video say that a model made it.

    A result can be made again of its frames; any other video may exist nowhere else.
    """
    return nullcontext() if not Path(output).is_file() or _is_result(output) else keeping_video(output)


@contextmanager
def keeping_video(output: Path):
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


def _is_result(video):
    from core.provenance.reader import read_marks

    try:
        return read_marks(video).says_model_made
    except (UserError, ImportError):
        return False
