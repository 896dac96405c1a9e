"""Only a video whose marks say that a model made it is replaced by a new one; any other is kept under another name."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from core.errors import UserError
from core.provenance.reader import read_marks
from core.video.replaced_video import keeping_video


def keeping_video_of_others(output: Path) -> AbstractContextManager:
    """As :func:`~core.video.replaced_video.keeping_video`, unless the marks of the video say that a model made it.

    A result can be made again of its frames; any other video may exist nowhere else.
    """
    return nullcontext() if not Path(output).is_file() or _is_result(output) else keeping_video(output)


def _is_result(video):
    try:
        return read_marks(video).says_model_made
    except (UserError, ImportError):
        return False
