"""One trainer per model: a lock file that the system itself releases when its owner ends, however it ends."""

from pathlib import Path

from core.errors import UserError
from core.files.temporary import remove_dead
from core.locks.lock_file import LockFile, is_free

LOCK_SUFFIX = ".lock"


class ModelLock:
    """The exclusive right to write a model's files; a context manager.

    Parameters
    ----------
    model_dir : Path
    prefix : str
        Of the model's files.

    Raises
    ------
    UserError
        On entering, when another process holds it.
    """

    def __init__(self, model_dir: Path, prefix: str):
        self.path = Path(model_dir) / f"{prefix}{LOCK_SUFFIX}"
        self._lock = LockFile(self.path, keep=True)

    def __enter__(self) -> "ModelLock":
        try:
            acquired = self._lock.acquire()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}).") from None
        if not acquired:
            owner = self._lock.owner()
            raise UserError(
                f"{self.path}: this model is being trained by process {owner.pid} since {owner.since}. End that training "
                "first, or use another model name."
            )
        remove_dead(self.path.parent)
        return self

    def __exit__(self, *exception):
        self._lock.release()


def is_locked(model_dir: Path, prefix: str) -> bool:
    """Whether a trainer works on the model now."""
    return not is_free(Path(model_dir) / f"{prefix}{LOCK_SUFFIX}")
