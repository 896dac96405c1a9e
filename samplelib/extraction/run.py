"""An extraction from beginning to end: what earlier runs did, the questions, the frames, and the report."""

import re
from dataclasses import replace

from core.console import interact
from core.console.counted import counted
from core.console.loss import Fate, ask_fate
from core.errors import UsageError, UserError
from core.files.paths import list_images
from samplelib.extraction.request import OTHERS_ENDING, QUALITY_RANGE, SIZE_RANGE, ExtractRequest

_NAME_IN_VIDEO, _MOST_UNKNOWN = re.compile(r"[0-9]{5,9}\.png"), 1000
_CONTINUE_HELP = "Goes on after the last finished frame. Give the same options as in the run that was interrupted."
_FACE_TYPE_HELP = (
    "How much of the head the pictures show: f = face, wf = whole face with forehead, head = head with hair. "
    "A larger type can still train a model of a smaller one."
)
_MAX_FACES_HELP = "Crowded frames take long. 3 keeps the three largest faces of each; 0 keeps all."
_SIZE_HELP = "Side of the pictures in pixels. Larger ones are worth it only when the faces in the frames are as large."
_QUALITY_HELP = "Higher is closer to the frame and takes more space."


def extract_faces(request: ExtractRequest) -> int | None:
    """Extract faces.

    Returns
    -------
    int or None
        Exit code: 1 when there were frames and none of them could be read.

    Raises
    ------
    UserError
        When a folder or a network is missing, or the user keeps the pictures of an earlier run.
    """
    from core.files.temporary import remove_dead
    from samplelib.extraction.output_folder import debug_folder_of

    paths = _input_frames(request)
    _make_folder(request.output_dir)
    debug_folder = debug_folder_of(request.output_dir)
    for folder in (request.output_dir, debug_folder, _others_folder(request)):
        remove_dead(folder)
    _warn_of_pack(request.output_dir)
    if request.manual_output_debug_fix:
        return _re_extract(request, paths, debug_folder)
    state, first, to_remove, fate = _decide_about_earlier_run(request, paths, debug_folder)
    request, settings = _ask(request, debug_folder, state.options)
    if to_remove is not None:
        _clean(request, to_remove, fate)
    return _extract(request, paths, first, state, settings)


def _input_frames(request):
    """Paths of the frames, one a stem; None for a video."""
    from samplelib.extraction.output_folder import unique_stems

    if request.input_video is not None:
        return None
    if request.input_dir.is_file():
        raise UsageError(
            f"--input-dir {request.input_dir}: is a file, not a folder. To extract from a video: --input-video {request.input_dir}"
        )
    paths, doubles = unique_stems(list_images(request.input_dir, required=True))
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


def _decide_about_earlier_run(request, paths, debug_folder):
    """What earlier runs did, the index of the first frame to do, the files to clear away (None: go on), and how."""
    from core.files.paths import list_images
    from samplelib.extraction import output_folder as folder
    from samplelib.extraction.journal import ExtractionState, read_state

    state = read_state(request.output_dir)
    count = len(list_images(request.output_dir))
    may_go_on = state.known or (count > 0 and paths is not None)
    asks = state.interrupted or count > folder.CONTINUE_MARGIN
    go_on = request.go_on
    if go_on is None and asks and may_go_on:
        go_on = interact.ask_bool("Continue extraction?", True, _CONTINUE_HELP)
    if go_on and not may_go_on and count > 0:
        raise UserError(f"{request.output_dir}: holds no record of the run that made it; give --restart.")
    if go_on:
        first = 0 if state.known or not count else folder.frame_to_go_on_with(request.output_dir, paths)
        return state, first, None, Fate.KEEP
    to_remove = folder.debug_pictures(debug_folder)
    if request.input_dir != request.output_dir:
        to_remove = folder.faces_written(request.output_dir) + to_remove
    if request.keep and _others_folder(request).is_dir():
        to_remove = to_remove + folder.faces_written(_others_folder(request))
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
    label = f"{folders}: {counted(len(to_remove), 'picture')} of an earlier extraction will be deleted. Delete them?"
    fate = ask_fate(label)
    if fate is Fate.KEEP:
        raise UserError(
            "Nothing was deleted and nothing extracted. Choose another --output-dir, --continue, or --yes, which moves the "
            "old pictures to a trash folder."
        )
    return fate


def _clean(request, to_remove, fate):
    from samplelib.extraction.output_folder import clean

    trash = clean(request.output_dir, to_remove, fate is Fate.SET_ASIDE)
    if trash is not None:
        interact.info(f"The pictures of the earlier extraction are in {trash} now.")
    left = [path.name for path in list_images(request.output_dir)]
    if left and request.input_dir != request.output_dir:
        interact.warning(
            f"{request.output_dir}: {counted(len(left), 'picture', 'stay')}, being no extracted faces ({left[0]} …)."
        )


def _ask(request, debug_folder, earlier):
    """The request with all its gaps filled by questions, and the settings; an earlier run's are the defaults."""
    from facelib.face_type import FaceType
    from samplelib.extraction.pipeline import ExtractSettings

    places = _choose_places(request)
    if request.face_type is not None:
        face_type = FaceType.from_text(request.face_type)
    else:
        keys = {"full_face": "f", "whole_face": "wf", "head": "head"}
        default = keys.get(earlier.get("face_type"), "wf")
        answer = interact.ask_text("Face type", default, ("f", "wf", "head"), _FACE_TYPE_HELP)
        face_type = FaceType.from_prompt_key(answer)
    max_faces, image_size, jpeg_quality = request.max_faces_from_image, request.image_size, request.jpeg_quality
    if max_faces is None:
        default = _in_range(earlier.get("max_faces", 0), 0, 2**31)
        max_faces = interact.ask_int("Max number of faces from image", default, low=0, help_text=_MAX_FACES_HELP)
    if image_size is None:
        default = _in_range(earlier.get("image_size", 768 if face_type >= FaceType.HEAD else 512), *SIZE_RANGE)
        image_size = interact.ask_int("Image size", default, *SIZE_RANGE, help_text=_SIZE_HELP)
    if jpeg_quality is None:
        default = _in_range(earlier.get("jpeg_quality", 90), *QUALITY_RANGE)
        jpeg_quality = interact.ask_int("Jpeg quality", default, *QUALITY_RANGE, help_text=_QUALITY_HELP)
    detector = request.detector or _ask_detector(by_hand_allowed=request.input_video is None)
    output_debug = request.output_debug
    if output_debug is None:
        output_debug = interact.ask_bool(f"Write debug images to {debug_folder.name}?", False)
    request = replace(
        request, max_faces_from_image=max_faces, detector=detector, output_debug=output_debug, places=places
    )
    settings = ExtractSettings(
        request.output_dir,
        debug_folder if output_debug else None,
        face_type,
        image_size,
        jpeg_quality,
        request.interpolation,
        **_person(request),
    )
    changed = [key for key, value in _recorded(request, settings).items() if key in earlier and earlier[key] != value]
    if changed:
        interact.warning(f"Not the same as in the run that is continued: {', '.join(changed)}.")
    return request, settings


def _person(request):
    """Settings of an extraction of one person."""
    if not request.keep:
        return {}
    from samplelib.faces.persons import KnownPerson, person_places

    folder = _others_folder(request)
    person = KnownPerson(person_places(request.keep, request.output_dir), request.keep_likeness)
    _make_folder(folder)
    interact.info(
        f"Kept are faces that are like {', '.join(path.name for path in request.keep)} by at least {person.likeness:g}, told by "
        f"{person.embedding.description}; those of others go to {folder.name}."
    )
    return {"person": person, "others_folder": folder, "most_kept": request.max_faces_from_image or 0}


def _others_folder(request):
    return request.output_dir.with_name(request.output_dir.name + OTHERS_ENDING)


def _in_range(value, low, high):
    return min(max(value, low), high)


def _choose_places(request):
    """Ask for graphics cards, when a network that could use them is there."""
    from core.device_choice import check_indexes, choose_places
    from facelib.finder_factory import EMBEDDED, any_weights

    if request.detector == EMBEDDED or not any_weights():
        check_indexes(request.cpu_only, request.force_gpu_idxs)
        return ()
    several = request.detector != "manual"
    places, _ = choose_places(request.engine, request.provider, request.cpu_only, request.force_gpu_idxs, several)
    return tuple(places)


def _ask_detector(by_hand_allowed):
    interact.info("Choose detector type.")
    for index, name in enumerate(("S3FD", "manual") if by_hand_allowed else ("S3FD",)):
        interact.info(f"[{index}] {name}")
    return ("s3fd", "manual")[interact.ask_int("", 0, 0, 1 if by_hand_allowed else 0)]


def _recorded(request, settings):
    """Options that change the faces, as noted in the report."""
    return {
        "face_type": settings.face_type.text,
        "image_size": settings.image_size,
        "jpeg_quality": settings.jpeg_quality,
        "max_faces": request.max_faces_from_image,
        "min_face_size": request.min_face_size,
        "interpolation": settings.interpolation,
        "detector": request.detector,
        **({"landmarks": request.landmarks} if request.landmarks else {}),
        "thorough": request.thorough,
        **({"keep": [str(path) for path in request.keep]} if request.keep else {}),
    }


def _extract(request, paths, first, state, settings):
    from samplelib.extraction.journal import ExtractionJournal

    todo = None if paths is None else [path for path in paths[first:] if not state.is_done(path.name)]
    if todo is not None and len(todo) < len(paths):
        interact.info(f"{len(paths) - len(todo)} of {len(paths)} frames are done already.")
    if settings.debug_folder is not None:
        _make_folder(settings.debug_folder)
    tally, finders = _Tally(), _finders(request, settings)
    with ExtractionJournal(request.output_dir, _recorded(request, settings), state) as journal:
        if request.detector == "manual":
            _by_hand(request, settings, finders, todo, journal, tally)
        else:
            _automatically(request, settings, finders, paths, todo, state, journal, tally)
            if request.manual_fix:
                _fix_by_hand(request, settings, paths, state, journal, tally)
        names = [path.name for path in paths] if paths is not None else _names_in_video(state)
        tracks = _tracks(request, settings, finders, paths, names, state, journal, tally)
        journal.finish(names, tracks)
    return tally.show(state)


def _tracks(request, settings, finders, paths, names, state, journal, tally):
    """What the report says of the faces' tracks, after missed faces were searched where that was asked for."""
    from samplelib.extraction import gap_filling
    from samplelib.extraction.track_record import faces_of_folder, track_entries, tracks_of

    film = _film(names, state)
    seen = faces_of_folder(request.output_dir, film)
    tracks = tracks_of(seen, film)
    if request.fill_gaps:

        def frames():
            from samplelib.extraction.pipeline import frames_of_files

            return frames_of_files(paths) if paths is not None else _video_frames(request)

        interpolate = request.fill_gaps == gap_filling.INTERPOLATE
        filled = gap_filling.fill_gaps(tracks, frames, finders[0], settings, state, journal, interpolate)
        gap_filling.tell(filled)
        tally.filled(state, filled.faces, names)
        tracks = tracks_of([*seen, *filled.faces], film)
    return track_entries(tracks, film)


def _film(names, state):
    """The frames of these names, and where shots begin as far as it was noted."""
    from samplelib.faces.film import Film

    cuts = {name for name, result in state.results.items() if result.begins_shot}
    return Film(tuple(names), tuple(number for number, name in enumerate(names) if name in cuts))


def _names_in_video(state):
    """Names of all frames of a video up to the last that is known; a record may not make up a longer one."""
    numbers = [int(name.removesuffix(".png")) for name in state.results if _NAME_IN_VIDEO.fullmatch(name)]
    longest = _MOST_UNKNOWN + 2 * len(numbers)
    return [_name_in_video(number) for number in range(min(max(numbers, default=0), longest))]


def _re_extract(request, paths, debug_folder):
    """Mark by hand the frames whose debug picture was deleted; their face 0 is written anew."""
    from samplelib.extraction import output_folder as folder
    from samplelib.extraction.journal import ExtractionJournal, read_state
    from samplelib.extraction.track_record import faces_of_folder, track_entries, tracks_of

    if not debug_folder.is_dir():
        raise UserError(f'{debug_folder} not found. Re-extract faces with "Write debug images" option.')
    face_type = request.face_type or folder.face_type_of_first(request.output_dir)
    request = replace(request, detector="manual", output_debug=True, face_type=face_type)
    present, names = {path.stem for path in list_images(debug_folder)}, [path.name for path in paths]
    paths = [path for path in paths if path.stem not in present]
    interact.info(f"Found {counted(len(paths), 'image')}.")
    state = read_state(request.output_dir)
    request, settings = _ask(request, debug_folder, {})
    tally = _Tally()
    if paths:
        finders = _finders(request, settings)
        with ExtractionJournal(request.output_dir, state.options or _recorded(request, settings), state) as journal:
            _by_hand(request, settings, finders, paths, journal, tally)
            film = _film(names, state)
            tracks = track_entries(tracks_of(faces_of_folder(request.output_dir, film), film), film)
            journal.finish(list(state.results), tracks)
    return tally.show(state)


class _Tally:
    """What became of the frames of this run."""

    def __init__(self):
        self.results, self.problems = {}, []

    def add(self, result):
        self.results[result.name] = len(result.files), result.error is not None
        if result.error is not None:
            interact.warning(f"{result.error}. The frame is left out.")

    def filled(self, state, faces, names):
        """Count faces that were put into frames afterwards."""
        for name in {names[face.frame] for face in faces}:
            self.results[name] = len(state.results[name].files), False

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


def _finders(request, settings):
    """Face finders and their batch size; for work by hand one finder."""
    from facelib.finder_factory import make_finders

    by_hand = request.detector == "manual"
    detector = "s3fd" if by_hand else request.detector
    # Of a person who is to be kept, the largest faces are counted after all others are sorted out.
    limits = 0 if request.keep and not by_hand else request.max_faces_from_image, request.min_face_size
    return make_finders(detector, settings.face_type, *limits, request.places, by_hand, request.landmarks)


def _automatically(request, settings, finders, paths, todo, state, journal, tally):
    from samplelib.extraction.pipeline import extract_frames, frames_of_files, with_frames_before, with_neighbours

    interact.info("Extracting faces...")
    follow = not request.thorough and finders[0][0].can_follow
    total = len(todo) if todo is not None else _frame_count(request.input_video)
    if todo is None:
        frames, count = _video_frames(request), total
        done = {number for number in range(total) if state.is_done(_name_in_video(number))}
    else:
        wanted = {path.name for path in todo}
        frames, count = frames_of_files(paths), len(paths)
        done = {number for number, path in enumerate(paths) if path.name not in wanted}
    frames = with_neighbours(frames, done, count) if follow else with_frames_before(frames, done)
    with interact.progress(total, "Extracting faces") as bar:
        for result in extract_frames(frames, finders[0], settings, finders[1], follow=follow):
            journal.record(result)
            tally.add(result)
            bar.update()


def _by_hand(request, settings, finders, paths, journal, tally):
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
        mark_faces(paths, finders[0][0], settings, request.manual_window_size, save)
    finally:
        for result in results.values():
            tally.add(result)
    left = len(paths) - len(results)
    if left:
        interact.info(f"{left} frames were not looked at; the same command with --continue goes on with them.")


def _fix_by_hand(request, settings, paths, state, journal, tally):
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
        tally.fail(f"{counted(len(empty), 'frame')} without a face not done by hand: {problem}.")
        return
    request = replace(request, detector="manual")
    _by_hand(request, settings, _finders(request, settings), empty, journal, tally)


def _video_frames(request):
    """Frames of a video under the names that extracting the video would give them."""
    from core.video.frames import probe, read_frames
    from core.video.steps import tell_hdr
    from samplelib.extraction.pipeline import SourceFrame

    keep_hdr = request.hdr == "keep"
    tell_hdr(probe(request.input_video), keep_hdr)
    for number, picture in enumerate(read_frames(request.input_video, keep_hdr=keep_hdr)):
        yield SourceFrame(_name_in_video(number), lambda picture=picture: picture, number)


def _name_in_video(number):
    """What extracting a video calls its frame of this number, from 0."""
    return f"{number + 1:05d}.png"


def _frame_count(path):
    from core.video.frames import probe

    return probe(path).expected_frames
