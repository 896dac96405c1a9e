"""The ``extract`` step: find the faces of frames and save them aligned."""

import argparse
from dataclasses import fields

from core.console.device_flags import add_device_flags, add_engine_flags
from core.console.number_flags import add_whole_number
from core.console.person_flags import add_person_flags, check_person_flags
from core.errors import UsageError
from core.files.paths import absolute_path, resolve_input_file
from core.video.hdr_flag import add_hdr_flag
from facelib.face_type_flag import add_face_type_flag
from samplelib.extraction.request import QUALITY_RANGE, SIZE_RANGE, ExtractRequest

FACE_TYPES = ("half_face", "midfull_face", "full_face", "whole_face", "head", "mark_only")
DETECTORS = ("s3fd", "manual", "embedded")
FACE_SIZE_RANGE = (8, 16384)
_LARGEST_WINDOW = 16384


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``extract`` to the command line."""
    parser = subparsers.add_parser("extract", help="find the faces of frames and save them aligned")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input-dir", type=absolute_path, metavar="DIR", help="folder with frames")
    source.add_argument("--input-video", type=absolute_path, metavar="FILE", help="video, instead of a folder")
    parser.add_argument("--output-dir", type=absolute_path, metavar="DIR", required=True, help="folder for the faces")
    debug = parser.add_mutually_exclusive_group()
    debug.add_argument(
        "--output-debug", action="store_true", default=None, help="write frames with drawings to OUTPUT-DIR_debug"
    )
    debug.add_argument("--no-output-debug", action="store_false", dest="output_debug", help="do not write them")
    parser.add_argument(
        "--detector", metavar="NAME",
        help="how faces are found: s3fd, manual, embedded (needs no weight files), or a network of yours (networks list)",
    )  # fmt: skip
    parser.add_argument("--landmarks", metavar="NAME", help="a landmark network of yours (networks list)")
    parser.add_argument(
        "--thorough", action="store_true", help="embedded finder: search every frame wholly; many times slower"
    )
    parser.add_argument(
        "--fill-gaps", nargs="?", const="search", choices=("search", "interpolate"), metavar="interpolate",
        help="search again for faces that were missed between two frames; =interpolate also puts in those that are not seen",
    )  # fmt: skip
    add_person_flags(parser, "Those of others go to OUTPUT_DIR_others")
    add_face_type_flag(parser, FACE_TYPES, "how much of the head a face picture shows")
    add_whole_number(parser, "--max-faces-from-image", 0, help="keep the N largest faces; 0 = all")
    add_whole_number(parser, "--image-size", *SIZE_RANGE, help="side of a face picture in pixels, 256-2048")
    add_whole_number(parser, "--jpeg-quality", *QUALITY_RANGE, help="1-100")
    add_whole_number(
        parser, "--min-face-size", *FACE_SIZE_RANGE, default=40, help="smallest face in pixels, from 8 (40)"
    )
    parser.add_argument(
        "--interpolation", choices=("linear", "cubic", "lanczos"), default="linear", help="how faces are cut out"
    )
    parser.add_argument("--manual-fix", action="store_true", help="then mark faces by hand where none was found")
    parser.add_argument(
        "--manual-output-debug-fix", action="store_true", help="mark by hand the frames whose debug picture was deleted"
    )
    add_whole_number(parser, "--manual-window-size", 0, _LARGEST_WINDOW, default=1368, help="0 = as large as the frame")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--continue", action="store_true", default=None, dest="go_on", help="go on with an earlier run")
    again.add_argument(
        "--restart", action="store_false", dest="go_on", help="start again; asks before it deletes faces"
    )
    add_hdr_flag(parser)
    add_device_flags(parser)
    add_engine_flags(parser)
    parser.set_defaults(run=run, fills=("output_dir",))


def run(flags: argparse.Namespace) -> int | None:
    """Extract faces; exit code 1 when there were frames and none of them could be read."""
    from samplelib.extraction.run import extract_faces

    _check_flags(flags)
    given = {field.name: getattr(flags, field.name) for field in fields(ExtractRequest) if hasattr(flags, field.name)}
    if flags.input_video is not None:
        given["input_video"] = resolve_input_file(flags.input_video)
    return extract_faces(ExtractRequest(**given))


def _check_flags(flags):
    check_person_flags(flags)
    _check_networks(flags)
    by_hand = flags.manual_fix or flags.manual_output_debug_fix or flags.detector == "manual"
    if flags.keep and (flags.manual_output_debug_fix or flags.detector == "manual"):
        raise UsageError("--keep picks faces that are found; by hand you pick them yourself. Leave one of the two out.")
    if flags.fill_gaps and (flags.manual_output_debug_fix or flags.detector == "manual"):
        raise UsageError(
            "--fill-gaps searches by itself: give --detector s3fd or embedded, or leave one of the two out."
        )
    if flags.input_video is not None and by_hand:
        raise UsageError("Marking by hand needs single frames: extract the video first, then give --input-dir.")
    if flags.manual_output_debug_fix and flags.detector not in (None, "manual"):
        raise UsageError("--manual-output-debug-fix works by hand: leave out --detector, or give --detector manual.")


def _check_networks(flags):
    """Refuse names of networks that are not known, before anything is asked."""
    if flags.detector in (None, *DETECTORS) and flags.landmarks is None:
        return
    from facelib.registry.entries import all_entries, entry_of
    from facelib.registry.kinds import DETECTOR, LANDMARKS

    if flags.detector not in (None, *DETECTORS):
        known = [entry.name for entry in all_entries() if entry.role == DETECTOR]
        if flags.detector not in known:
            raise UsageError(f"--detector {flags.detector}: is none of {', '.join((*DETECTORS, *known))}.")
    if flags.landmarks is not None:
        entry_of(flags.landmarks, LANDMARKS)
