"""The ``extract`` step: find the faces of frames and save them aligned."""

from core.console import interact
from core.console.counted import counted
from core.console.device_flags import add_device_flags
from core.console.loss import Fate, ask_fate
from core.console.number_flags import add_whole_number
from core.errors import UsageError, UserError
from core.files.paths import absolute_path, list_images, resolve_input_file
from core.video.hdr_flag import add_hdr_flag
from facelib.face_type_flag import add_face_type_flag

FACE_TYPES = ("half_face", "midfull_face", "full_face", "whole_face", "head", "mark_only")
DETECTORS = ("s3fd", "manual", "embedded")
SIZE_RANGE, QUALITY_RANGE, FACE_SIZE_RANGE = (256, 2048), (1, 100), (8, 16384)
_LARGEST_WINDOW = 16384

_CONTINUE_HELP = "Goes on after the last finished frame. Give the same options as in the run that was interrupted."
_FACE_TYPE_HELP = (
    "How much of the head the pictures show: f = face, wf = whole face with forehead, head = head with hair. "
    "A larger type can still train a model of a smaller one."
)
_MAX_FACES_HELP = "Crowded frames take long. 3 keeps the three largest faces of each; 0 keeps all."
_SIZE_HELP = "Side of the pictures in pixels. Larger ones are worth it only when the faces in the frames are as large."
_QUALITY_HELP = "Higher is closer to the frame and takes more space."


def add_parser(subparsers):
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
    parser.add_argument("--detector", choices=DETECTORS, help="how faces are found; embedded needs no weight files")
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
    parser.set_defaults(run=run, fills=("output_dir",))


def run(options):
    """Extract faces; exit code 1 when there were frames and none of them could be read."""
    from core.files.temporary import remove_dead
    from samplelib.extraction.output_folder import debug_folder_of

    _check_flags(options)
    paths = _input_frames(options)
    _make_folder(options.output_dir)
    debug_folder = debug_folder_of(options.output_dir)
    for folder in (options.output_dir, debug_folder):
        remove_dead(folder)
    _warn_of_pack(options.output_dir)
    if options.manual_output_debug_fix:
        return _re_extract(options, paths, debug_folder)
    state, first, to_remove, fate = _decide_about_earlier_run(options, paths, debug_folder)
    settings = _ask(options, debug_folder, state.options)
    if to_remove is not None:
        _clean(options, to_remove, fate)
    return _extract(options, paths, first, state, settings)


def _check_flags(options):
    by_hand = options.manual_fix or options.manual_output_debug_fix or options.detector == "manual"
    if options.input_video is not None and by_hand:
        raise UsageError("Marking by hand needs single frames: extract the video first, then give --input-dir.")
    if options.manual_output_debug_fix and options.detector not in (None, "manual"):
        raise UsageError("--manual-output-debug-fix works by hand: leave out --detector, or give --detector manual.")


def _input_frames(options):
    """Paths of the frames, one a stem; None for a video."""
    from samplelib.extraction.output_folder import unique_stems

    if options.input_video is not None:
        options.input_video = resolve_input_file(options.input_video)
        return None
    if options.input_dir.is_file():
        raise UsageError(
            f"--input-dir {options.input_dir}: is a file, not a folder. To extract from a video: --input-video {options.input_dir}"
        )
    paths, doubles = unique_stems(list_images(options.input_dir, required=True))
    for path in doubles:
        interact.info(f"Duplicate filenames are not allowed, skipping: {path.name}")
    return paths


def _warn_of_pack(folder):
    from samplelib.packs.names import PACK_NAME

    if (folder / PACK_NAME).is_file():
        interact.warning(
            f"{folder / PACK_NAME}: training and merging use this pack and not the new faces, until they are packed, too "
            "(util --pack-faceset), or it is unpacked."
        )


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}).") from None


def _decide_about_earlier_run(options, paths, debug_folder):
    """What earlier runs did, the index of the first frame to do, the files to clear away (None: go on), and how."""
    from core.files.paths import list_images
    from samplelib.extraction import output_folder as folder
    from samplelib.extraction.journal import ExtractionState, read_state

    state = read_state(options.output_dir)
    count = len(list_images(options.output_dir))
    may_go_on = state.known or (count > 0 and paths is not None)
    asks = state.interrupted or count > folder.CONTINUE_MARGIN
    go_on = options.go_on
    if go_on is None and asks and may_go_on:
        go_on = interact.ask_bool("Continue extraction?", True, _CONTINUE_HELP)
    if go_on and not may_go_on and count > 0:
        raise UserError(f"{options.output_dir}: holds no record of the run that made it; give --restart.")
    if go_on:
        first = 0 if state.known or not count else folder.frame_to_go_on_with(options.output_dir, paths)
        return state, first, None, Fate.KEEP
    to_remove = folder.debug_pictures(debug_folder)
    if options.input_dir != options.output_dir:
        to_remove = folder.faces_written(options.output_dir) + to_remove
    return ExtractionState(), 0, to_remove, _permitted(to_remove)


def _permitted(to_remove):
    """What becomes of the pictures of an earlier extraction: they may have been sorted, labelled and placed by hand."""
    from samplelib.extraction.output_folder import count_labelled

    if not to_remove:
        return Fate.DELETE
    labelled = count_labelled(to_remove)
    if labelled:
        interact.info(f"{labelled} of the faces carry labels that were drawn by hand.")
    folders = " and ".join(sorted({str(file.parent) for file in to_remove}))
    label = f"{folders}: {len(to_remove)} pictures of an earlier extraction will be deleted. Delete them?"
    fate = ask_fate(label)
    if fate is Fate.KEEP:
        raise UserError(
            "Nothing was deleted and nothing extracted. Choose another --output-dir, --continue, or --yes, which moves the "
            "old pictures to a trash folder."
        )
    return fate


def _clean(options, to_remove, fate):
    from samplelib.extraction.output_folder import clean

    trash = clean(options.output_dir, to_remove, fate is Fate.SET_ASIDE)
    if trash is not None:
        interact.info(f"The pictures of the earlier extraction are in {trash} now.")
    left = [path.name for path in list_images(options.output_dir)]
    if left and options.input_dir != options.output_dir:
        interact.warning(f"{options.output_dir}: {len(left)} pictures that are no extracted faces stay ({left[0]} …).")


def _ask(options, debug_folder, earlier):
    """Settings from flags and questions; the options of the run that is continued are the defaults."""
    from facelib.face_type import FaceType
    from samplelib.extraction.pipeline import ExtractSettings

    _choose_devices(options)
    if options.face_type is not None:
        face_type = FaceType.from_text(options.face_type)
    else:
        keys = {"full_face": "f", "whole_face": "wf", "head": "head"}
        default = keys.get(earlier.get("face_type"), "wf")
        answer = interact.ask_text("Face type", default, ("f", "wf", "head"), _FACE_TYPE_HELP)
        face_type = FaceType.from_prompt_key(answer)
    if options.max_faces_from_image is None:
        default = _in_range(earlier.get("max_faces", 0), 0, 2**31)
        options.max_faces_from_image = interact.ask_int(
            "Max number of faces from image", default, low=0, help_text=_MAX_FACES_HELP
        )
    if options.image_size is None:
        default = _in_range(earlier.get("image_size", 768 if face_type >= FaceType.HEAD else 512), *SIZE_RANGE)
        options.image_size = interact.ask_int("Image size", default, *SIZE_RANGE, help_text=_SIZE_HELP)
    if options.jpeg_quality is None:
        default = _in_range(earlier.get("jpeg_quality", 90), *QUALITY_RANGE)
        options.jpeg_quality = interact.ask_int("Jpeg quality", default, *QUALITY_RANGE, help_text=_QUALITY_HELP)
    if options.detector is None:
        options.detector = _ask_detector(by_hand_allowed=options.input_video is None)
    if options.output_debug is None:
        options.output_debug = interact.ask_bool(f"Write debug images to {debug_folder.name}?", False)
    settings = ExtractSettings(
        options.output_dir,
        debug_folder if options.output_debug else None,
        face_type,
        options.image_size,
        options.jpeg_quality,
        options.interpolation,
    )
    changed = [key for key, value in _recorded(options, settings).items() if key in earlier and earlier[key] != value]
    if changed:
        interact.warning(f"Not the same as in the run that is continued: {', '.join(changed)}.")
    return settings


def _in_range(value, low, high):
    return min(max(value, low), high)


def _choose_devices(options):
    """Ask for graphics cards, when a network that could use them is there."""
    from core.device_choice import check_indexes, choose_devices
    from facelib.finder_factory import any_weights

    options.devices = ()
    if options.detector == "embedded" or not any_weights():
        check_indexes(options.cpu_only, options.force_gpu_idxs)
        return
    cards = choose_devices(options.cpu_only, options.force_gpu_idxs, several=options.detector != "manual")
    options.devices = tuple(f"GPU:{number}" for number in range(len(cards)))


def _ask_detector(by_hand_allowed):
    interact.info("Choose detector type.")
    for index, name in enumerate(("S3FD", "manual") if by_hand_allowed else ("S3FD",)):
        interact.info(f"[{index}] {name}")
    return ("s3fd", "manual")[interact.ask_int("", 0, 0, 1 if by_hand_allowed else 0)]


def _recorded(options, settings):
    """Options that change the faces, as noted in the report."""
    return {
        "face_type": settings.face_type.text,
        "image_size": settings.image_size,
        "jpeg_quality": settings.jpeg_quality,
        "max_faces": options.max_faces_from_image,
        "min_face_size": options.min_face_size,
        "interpolation": settings.interpolation,
        "detector": options.detector,
    }


def _extract(options, paths, first, state, settings):
    from samplelib.extraction.journal import ExtractionJournal

    todo = None if paths is None else [path for path in paths[first:] if not state.is_done(path.name)]
    if todo is not None and len(todo) < len(paths):
        interact.info(f"{len(paths) - len(todo)} of {len(paths)} frames are done already.")
    if settings.debug_folder is not None:
        _make_folder(settings.debug_folder)
    tally, finders = _Tally(), _finders(options, settings)
    with ExtractionJournal(options.output_dir, _recorded(options, settings), state) as journal:
        if options.detector == "manual":
            _by_hand(options, settings, finders, todo, journal, tally)
        else:
            _automatically(options, settings, finders, todo, state, journal, tally)
            if options.manual_fix:
                _fix_by_hand(options, settings, paths, state, journal, tally)
        journal.finish([path.name for path in paths] if paths is not None else sorted(state.results))
    return tally.show(state)


def _re_extract(options, paths, debug_folder):
    """Mark by hand the frames whose debug picture was deleted; their face 0 is written anew."""
    from samplelib.extraction import output_folder as folder
    from samplelib.extraction.journal import ExtractionJournal, read_state

    if not debug_folder.is_dir():
        raise UserError(f'{debug_folder} not found. Re-extract faces with "Write debug images" option.')
    options.detector, options.output_debug = "manual", True
    if options.face_type is None:
        options.face_type = folder.face_type_of_first(options.output_dir)
    present = {path.stem for path in list_images(debug_folder)}
    paths = [path for path in paths if path.stem not in present]
    interact.info(f"Found {counted(len(paths), 'image')}.")
    state = read_state(options.output_dir)
    settings = _ask(options, debug_folder, {})
    tally = _Tally()
    if paths:
        finders = _finders(options, settings)
        with ExtractionJournal(options.output_dir, state.options or _recorded(options, settings), state) as journal:
            _by_hand(options, settings, finders, paths, journal, tally)
            journal.finish(list(state.results))
    return tally.show(state)


class _Tally:
    """What became of the frames of this run."""

    def __init__(self):
        self.results, self.problems = {}, []

    def add(self, result):
        self.results[result.name] = len(result.files), result.error is not None
        if result.error is not None:
            interact.warning(f"{result.error}. The frame is left out.")

    def fail(self, problem):
        """Note a problem that makes the exit code 1."""
        interact.error(problem)
        self.problems.append(problem)

    def show(self, state):
        """Print the report; the exit code."""
        unreadable = [name for name, (_, failed) in self.results.items() if failed]
        empty = [name for name, (faces, failed) in self.results.items() if not faces and not failed]
        for text, names in (("without a face", empty), ("that could not be read", unreadable)):
            if names:
                interact.info(f"Frames {text}: {len(names)} ({', '.join(names[:10])}{' …' if len(names) > 10 else ''})")
        interact.info("-------------------------")
        interact.info(f"Images found:        {len(self.results)}")
        interact.info(f"Faces detected:      {sum(faces for faces, _ in self.results.values())}")
        interact.info("-------------------------")
        if unreadable and all(result.error is not None for result in state.results.values()):
            self.fail("None of the frames could be read.")
        return 1 if self.problems else None


def _finders(options, settings):
    """Face finders and their batch size; for work by hand one finder."""
    from facelib.finder_factory import make_finders

    by_hand = options.detector == "manual"
    detector = "s3fd" if by_hand else options.detector
    limits = options.max_faces_from_image, options.min_face_size
    return make_finders(detector, settings.face_type, *limits, options.devices, by_hand)


def _automatically(options, settings, finders, todo, state, journal, tally):
    from samplelib.extraction.pipeline import extract_frames, frames_of_files

    interact.info("Extracting faces...")
    frames = frames_of_files(todo) if todo is not None else _video_frames(options, state)
    total = len(todo) if todo is not None else _frame_count(options.input_video)
    with interact.progress(total, "Extracting faces") as bar:
        for result in extract_frames(frames, finders[0], settings, finders[1]):
            journal.record(result)
            tally.add(result)
            bar.update()


def _by_hand(options, settings, finders, paths, journal, tally):
    """Let the user mark one face in each frame; a frame's files are written when the user leaves it."""
    from samplelib.extraction.manual_window import mark_faces
    from samplelib.extraction.pipeline import FrameResult, SourceFrame, write_marked_frame

    results = {}

    def save(path, image, face, error):
        if error is not None:
            result = FrameResult(path.name, error=error)
        else:
            earlier = results[path.name].files if path.name in results else ()
            result = write_marked_frame(SourceFrame(path.name, None), image, face, settings, earlier)
        results[path.name] = result
        journal.record(result)

    interact.info("Performing manual extract...")
    try:
        mark_faces(paths, finders[0][0], settings, options.manual_window_size, save)
    finally:
        for result in results.values():
            tally.add(result)
    left = len(paths) - len(results)
    if left:
        interact.info(f"{left} frames were not looked at; the same command with --continue goes on with them.")


def _fix_by_hand(options, settings, paths, state, journal, tally):
    """Let the user mark a face in the frames where none was found."""
    from core.window.picture_window import window_problem

    done = [(path, state.results.get(path.name)) for path in paths]
    empty = [path for path, result in done if result is not None and not result.files and result.error is None]
    if not empty:
        interact.info("All faces are detected, manual fix not needed.")
        return
    interact.info(f"Performing manual fix for {counted(len(empty), 'image')}...")
    problem = window_problem()
    if problem:
        tally.fail(f"{len(empty)} frames without a face were not fixed by hand: {problem}.")
        return
    options.detector = "manual"
    _by_hand(options, settings, _finders(options, settings), empty, journal, tally)


def _video_frames(options, state):
    """Frames of a video that are not done yet, under the names that extracting the video would give them."""
    from core.video.frames import probe, read_frames
    from core.video.steps import tell_hdr
    from samplelib.extraction.pipeline import SourceFrame

    keep_hdr = options.hdr == "keep"
    tell_hdr(probe(options.input_video), keep_hdr)
    for number, picture in enumerate(read_frames(options.input_video, keep_hdr=keep_hdr), start=1):
        name = f"{number:05d}.png"
        if not state.is_done(name):
            yield SourceFrame(name, lambda picture=picture: picture)


def _frame_count(path):
    from core.video.frames import probe

    return probe(path).expected_frames
