"""What the commands of a job need and is not there, as far as that can be told before they run."""

import glob
import os
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files.paths import list_images, resolve_input_file
from mainscripts.jobs.job import overlap
from models.registry import kind

_PICTURE_FOLDERS = ("input_dir", "aligned_dir", "training_data_src_dir", "training_data_dst_dir")
_FILES = ("input_file", "input_video", "reference_file", "config", "options", "recipe", "identity", "embedding_model",
          "c2pa_cert", "c2pa_key", "queue", "answers", "file")  # fmt: skip
_OUTPUTS = ("output_dir", "output_mask_dir", "output_file", "output_video", "dump_options", "export_settings")
_NEED_A_MODEL = ("merge", "exportdfm")
_PACK = "faceset.pak"


class JobInputs:
    """Follows the steps of a job in order and remembers what they will have made."""

    def __init__(self):
        self._made: list[str] = []

    def missing(self, commands: Any, options_of_commands: Any, writes: Any) -> list[str]:
        """One line for each thing that a step needs and that neither is there nor will be made by a step before it.

        Parameters
        ----------
        commands : sequence of sequence of str
            Arguments of ``main.py``.
        options_of_commands : sequence of argparse.Namespace
            The same, parsed.
        writes : sequence of str
            Paths and patterns that the step makes.
        """
        lines = []
        for command, options in zip(commands, options_of_commands, strict=True):
            lines += [line for line in self._needs(command, options) if line not in lines]
            self._made += [str(getattr(options, name)) for name in _OUTPUTS if getattr(options, name, None)]
            if command[0] == "train":
                self._made += [
                    str(options.model_dir / f"*_{options.model}_*"),
                    str(options.model_dir / f"{options.model}_*"),
                ]
        self._made += writes
        return lines

    def _needs(self, command, options):
        for name in _PICTURE_FOLDERS:
            folder = getattr(options, name, None)
            if folder is not None and not self._will_be_there(folder):
                problem = _problem_of_folder(folder, command[0])
                if problem:
                    yield problem
        for name in _FILES:
            path = getattr(options, name, None)
            if isinstance(path, Path) and not self._will_be_there(path):
                problem = _problem_of_file(path)
                if problem:
                    yield problem
        if command[0] in _NEED_A_MODEL:
            prefix = kind(options.model).file_prefix(options.force_model_name or "*")
            yield from self._needs_model(options, f"{prefix}_data.dat")
        if command[:2] == ("xseg", "apply") and not options.generic and options.model_dir.name != "model_generic_xseg":
            yield from self._needs_model(options, "XSeg_256.npy")

    def _needs_model(self, options, pattern):
        wanted = options.model_dir / pattern
        found = glob.glob(os.path.join(glob.escape(str(options.model_dir)), pattern))
        if not found and not self._will_be_there(wanted):
            yield f"{wanted}: there is no such model. Train it first, or check model-dir and force-model-name."

    def _will_be_there(self, path):
        return any(overlap(str(path), made) for made in self._made)


def _problem_of_folder(folder, command):
    if not folder.is_dir():
        return f"{folder}: no such folder."
    if command in ("view", "workspace"):
        return None
    try:
        filled = (folder / _PACK).is_file() or bool(list_images(folder))
    except UserError as error:
        return str(error)
    return None if filled else f"{folder}: holds no pictures."


def _problem_of_file(path):
    try:
        resolve_input_file(path)
    except UserError as error:
        return str(error)
    return None
