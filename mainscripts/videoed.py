"""The ``videoed`` steps: frames out of a video, cutting, denoising, and frames into a video."""

import argparse
import re
from contextlib import contextmanager, nullcontext

from core.console import interact
from core.console.counted import counted
from core.console.loss import Fate, ask_fate, confirm_loss
from core.console.number_flags import add_whole_number
from core.errors import UsageError, UserError
from core.files.paths import absolute_path, resolve_input_file
from core.files.trash import trash_folder_of
from core.video.hdr_flag import HDR_CHOICES, add_hdr_flag

FACTOR_RANGE = (1, 20)
_HIGHEST_RATE, _HIGHEST_BITRATE = 1000, 2000
COMPARISONS = ("beside", "above", "wipe", "difference")  # the layouts of core.video.comparison
_START = "00:00:00.000"
_FPS_HELP = "How many frames are taken from each second of video. 0 takes all of them."
_FORMAT_HELP = (
    "png keeps every value but needs about ten times the space and is slower; jpg is small and slightly lossy."
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``videoed`` and its subcommands to the command line."""
    parser = subparsers.add_parser("videoed", help="frames out of a video, cut, denoise, frames into a video")
    parser.set_defaults(group=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_extract(commands)
    _add_cut(commands)
    _add_denoise(commands)
    _add_encode(commands)
    _add_compare(commands)
    _add_verify(commands)


def _add_extract(commands):
    parser = commands.add_parser("extract-video", help="write the frames of a video as images")
    parser.add_argument("--input-file", required=True, type=absolute_path, help="video; NAME.* takes any extension")
    parser.add_argument(
        "--output-dir", required=True, type=absolute_path, help="folder for the frames, made if missing"
    )
    parser.add_argument("--output-ext", choices=("png", "jpg"), help="kind of image (asked)")
    add_whole_number(parser, "--fps", 0, _HIGHEST_RATE, help="frames per second, 0 = all (asked)")
    parser.add_argument("--allow-damaged", action="store_true", help="take what can be read of a damaged video")
    add_hdr_flag(parser)
    parser.set_defaults(run=extract, fills=("output_dir",))


def _add_cut(commands):
    parser = commands.add_parser("cut-video", help="cut a part out of a video, as NAME_cut beside it")
    parser.add_argument("--input-file", required=True, type=absolute_path, help="video; NAME.* takes any extension")
    parser.add_argument("--output-file", type=absolute_path, help="the part; its suffix picks the container [NAME_cut]")
    parser.add_argument("--from-time", help="where the part begins, HH:MM:SS.mmm or seconds (asked)")
    parser.add_argument("--to-time", help="where it ends; 00:00:00.000 = end of the video (asked)")
    add_whole_number(parser, "--audio-track-id", 0, help="number of the audio track, from 0 (asked)")
    add_whole_number(parser, "--bitrate", 1, _HIGHEST_BITRATE, help="megabits per second (asked)")
    _add_encoder_flags(parser)
    _add_signing_flags(parser)
    parser.set_defaults(run=cut)


def _add_denoise(commands):
    parser = commands.add_parser("denoise-image-sequence", help="denoise the images of a folder as one film")
    parser.add_argument("--input-dir", required=True, type=absolute_path, help="folder with the images")
    add_whole_number(parser, "--factor", *FACTOR_RANGE, help="strength 1-20 (asked)")
    parser.set_defaults(run=denoise, changes=("input_dir",))


def _add_encode(commands):
    parser = commands.add_parser("video-from-sequence", help="make a video of the images of a folder")
    parser.add_argument("--input-dir", required=True, type=absolute_path, help="folder with the images")
    parser.add_argument(
        "--output-file", required=True, type=absolute_path, help="video; its suffix picks the container"
    )
    parser.add_argument("--reference-file", type=absolute_path, help="video that gives frame rate, colours and sound")
    parser.add_argument("--ext", default="png", help="has no effect: all images of the folder are used")
    missing = parser.add_mutually_exclusive_group()
    missing.add_argument(
        "--hold-missing", action="store_const", const="hold", dest="missing",
        help="repeat the picture before a missing one, so that sound and pictures stay together",
    )  # fmt: skip
    missing.add_argument(
        "--ignore-missing", action="store_const", const="ignore", dest="missing",
        help="make a video of just the pictures that are there, shorter than its sound",
    )  # fmt: skip
    add_whole_number(parser, "--fps", 1, _HIGHEST_RATE, help="frames per second without a reference (asked)")
    add_whole_number(parser, "--bitrate", 1, _HIGHEST_BITRATE, help="megabits per second (asked unless lossless)")
    parser.add_argument("--include-audio", action="store_true", help="take the sound of the reference")
    parser.add_argument("--lossless", action="store_true", help="keep every value of the video's pixel format")
    parser.add_argument(
        "--hdr", choices=HDR_CHOICES, help="what images of an HDR reference hold (16-bit images: keep, else tonemap)"
    )
    parser.add_argument("--model-dir", type=absolute_path, help="model named in the manifest if merging left no record")
    _add_encoder_flags(parser)
    _add_signing_flags(parser)
    parser.set_defaults(run=encode, writes=("output_file",))


def _add_compare(commands):
    parser = commands.add_parser("compare", help="make a video that shows an original beside what was made of it")
    parser.add_argument("--original-file", required=True, type=absolute_path, help="video; NAME.* takes any extension")
    parser.add_argument(
        "--result-file",
        required=True,
        action="append",
        type=absolute_path,
        help="result video; repeatable, to compare several",
    )
    parser.add_argument(
        "--output-file", required=True, type=absolute_path, help="video; its suffix picks the container"
    )
    parser.add_argument("--layout", choices=COMPARISONS, default=COMPARISONS[0], help="how they are shown [beside]")
    parser.add_argument("--no-labels", action="store_true", help="do not write names into the pictures")
    parser.add_argument("--no-audio", action="store_true", help="leave out the sound of the original")
    add_whole_number(parser, "--bitrate", 1, _HIGHEST_BITRATE, help="megabits per second (asked)")
    _add_encoder_flags(parser)
    _add_signing_flags(parser)
    parser.set_defaults(run=compare, writes=("output_file",))


def _add_verify(commands):
    parser = commands.add_parser(
        "verify",
        help="print what is known of the origin of a video",
        epilog="Exit codes: 0 intact C2PA manifest, 3 nothing known, 4 the manifest does not fit the file, "
        "5 no manifest but metadata says that a model made it, 1 the file cannot be read.",
    )
    parser.add_argument("file", metavar="FILE", type=absolute_path, help="video; NAME.* takes any extension")
    parser.set_defaults(run=verify)


def _add_signing_flags(parser):
    parser.add_argument(
        "--c2pa-cert", type=absolute_path, metavar="PEM", help="certificate chain that signs the result"
    )
    parser.add_argument("--c2pa-key", type=absolute_path, metavar="PEM", help="private key of that certificate")
    parser.add_argument("--no-provenance", action="store_true", help="do not mark the video as made by a model")


def _add_encoder_flags(parser):
    parser.add_argument("--encoder", help="ffmpeg's name of the video encoder, for example h264_nvenc or libx265")
    parser.add_argument("--ten-bit", action="store_true", help="ten bits a value (HEVC)")


def extract(options: argparse.Namespace) -> None:
    """Run ``extract-video``."""
    from core.video.steps import extract_frames, numbered_frames

    video = resolve_input_file(options.input_file)
    fps = options.fps
    if fps is None:
        problem = _outside("Enter FPS", 0, _HIGHEST_RATE, "frames per second (0: all frames)")
        fps = interact.ask_int("Enter FPS", 0, help_text=_FPS_HELP, problem=problem)
    kind = options.output_ext or interact.ask_text("Output image format", "png", ["png", "jpg"], _FORMAT_HELP)
    folder = options.output_dir
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder. Give another --output-dir.")
    fate = _fate_of_old_frames(folder, numbered_frames(folder, f".{kind}"))

    def allow_damaged(extraction):
        question = f"Only {extraction.count} of about {extraction.expected} frames could be read. Keep them?"
        return options.allow_damaged or interact.confirm(question, "--allow-damaged")

    keep_old = fate is Fate.SET_ASIDE
    result = extract_frames(video, folder, f".{kind}", fps, allow_damaged, options.hdr == "keep", keep_old)
    interact.info(f"{counted(result.count, 'frame')} written to {folder}")
    if result.complaints:
        interact.warning(f"{video.name} is damaged in places ({result.complaints[-1]}); some frames may look broken.")
    _mention_other_images(folder, kind)


def _fate_of_old_frames(folder, old):
    """What becomes of frames that are in the way; without a terminal those are set aside that cannot be made again."""
    from core.video.frame_record import can_be_extracted_again

    if not old:
        return Fate.DELETE
    again = can_be_extracted_again(folder, old)
    if not again:
        interact.info(
            f"Not all frames in {folder} are as a video gave them that is still there; some may be the only ones."
        )
    if interact.has_terminal():
        if not confirm_loss(f"Replace the {counted(len(old), 'frame')} in {folder} ?"):
            raise UserError("Stopped; the frames were left as they are.")
        return Fate.DELETE
    interact.info(f"Replacing {counted(len(old), 'frame')} of an earlier extraction.")
    if again:
        return Fate.DELETE
    interact.info(f"They go to {trash_folder_of(folder)}.")
    return Fate.SET_ASIDE


def _mention_other_images(folder, kind):
    """Say when images that did not come from this video lie in the folder; later steps would use them too."""
    from core.files.paths import list_images
    from core.video.steps import numbered_frames

    others = len(list_images(folder)) - len(numbered_frames(folder, f".{kind}"))
    if others:
        interact.warning(f"{folder} holds {others} other images, left as they are. Later steps will use them too.")


def cut(options: argparse.Namespace) -> None:
    """Run ``cut-video``."""
    from core.video.reading.probe import probe
    from core.video.steps import cut_video

    video = resolve_input_file(options.input_file)
    info = probe(video)
    duration = _time_text(info.duration)
    begin = options.from_time or interact.ask_text("From time", _START, problem=_time_problem("--from-time"))
    begin_seconds = _seconds(begin, "--from-time")
    if info.duration and begin_seconds >= info.duration:
        raise UsageError(f"The beginning {begin} lies behind the end of {video.name} ({duration}).")
    end = options.to_time or interact.ask_text("To time", duration, problem=_time_problem("--to-time", begin))
    end_seconds = _seconds(end, "--to-time")
    track = _audio_track(options, info)
    bitrate = _bitrate(options, 25)
    if end_seconds == 0 or end == duration:
        end_seconds = None
    if end_seconds is not None and end_seconds <= begin_seconds:
        raise UsageError(f"The end {end} is not after the beginning {begin}.")
    output = options.output_file or _cut_name(video)
    if output.exists() and output.samefile(video):
        raise UsageError(f"{output}: is the video itself. Give another --output-file.")
    keeping = _fate_of_old_cut(output)
    settings = _settings(options, output, bitrate, False)
    with keeping, _keeping_manifest(options, video, output) as target:
        cut_video(video, target, begin_seconds, end_seconds, track, settings)
    interact.info(f"Written to {output}")


def _fate_of_old_cut(output):
    """Ask before a cut that is there is replaced; a context that keeps it under another name when only ``--yes`` agrees."""
    from core.video.replaced_video import keeping_video

    if not output.exists():
        return nullcontext()
    fate = ask_fate(f"Replace {output.name} ?")
    if fate is Fate.KEEP:
        raise UserError(f"{output}: exists already. Rename it, or give --yes, which does that.")
    return keeping_video(output) if fate is Fate.SET_ASIDE else nullcontext()


def _cut_name(video):
    """Beside the video, in its container if we can write that, else as mp4."""
    from core.video.writing.sound import CONTAINERS

    if video.suffix.lower() in CONTAINERS:
        return video.with_name(f"{video.stem}_cut{video.suffix}")
    name = video.stem if video.suffix else video.name
    output = video.with_name(f"{name}_cut.mp4")
    interact.info(f"{video.suffix or 'A file without suffix'} cannot be written; the part becomes {output.name}.")
    return output


def _keeping_manifest(options, video, output):
    """Where to write a cut: a video with a C2PA manifest gets a new one that holds the old; others stay without."""
    from core.provenance.manifest import Story, has_manifest, marked

    if not has_manifest(video):
        return nullcontext(output)
    if options.no_provenance:
        interact.warning(f"{video.name} has a C2PA manifest, which --no-provenance drops.")
        return nullcontext(output)
    interact.info(f"{video.name} has a C2PA manifest; it is kept inside a new one.")
    return marked(output, _certificate(options), Story(video, swapped=False))


def _audio_track(options, info):
    for track in info.audio:
        notes = ", ".join(str(note) for note in (track.language, track.title) if note)
        interact.info(f"Audio track {track.number}: {track.codec}, {track.channels}{f' ({notes})' if notes else ''}")
    number = options.audio_track_id
    if number is None:
        return interact.ask_int("Specify audio track id.", 0, problem=lambda number: _track_problem(info, number))
    problem = _track_problem(info, number)
    if problem is not None:
        raise UsageError(problem)
    return number


def _track_problem(info, number):
    if 0 <= number < max(1, len(info.audio)):
        return None
    return f"Audio track {number} does not exist; the file has {len(info.audio)}, counted from 0."


def denoise(options: argparse.Namespace) -> None:
    """Run ``denoise-image-sequence``."""
    from core.files.paths import list_images
    from core.video.steps import denoise_images
    from mainscripts.jobs.job import step_record

    _refuse_faces(list_images(options.input_dir, required=True))
    factor = options.factor
    if factor is None:
        factor = interact.ask_int("Denoise factor?", 7, *FACTOR_RANGE)
    count = denoise_images(options.input_dir, factor, step_record())
    interact.info(f"{counted(count, 'image')} denoised. Transparency and other data inside the images are not kept.")


def _refuse_faces(images):
    """Aligned faces would lose their landmarks and masks, so they are not denoised."""
    from core.parallel import ordered_map
    from samplelib.faces.aligned_face import read_metadata

    faces = [image for image in images if image.suffix.lower() in (".jpg", ".jpeg")]
    for outcome in ordered_map(read_metadata, faces):
        if outcome.value is not None:
            raise UserError(
                f"{outcome.item}: is an aligned face; denoising would drop its landmarks. Give the folder of the frames."
            )


def encode(options: argparse.Namespace) -> None:
    """Run ``video-from-sequence``."""
    from core.files.paths import list_images
    from core.provenance.replaced_result import keeping_video_of_others
    from core.video.steps import encode_images, read_reference

    output = options.output_file
    list_images(options.input_dir, required=True)
    reference = None
    if options.reference_file is not None:
        path = resolve_input_file(options.reference_file)
        if output.exists() and output.samefile(path):
            raise UsageError(f"{output}: is the reference itself. Give another --output-file.")
        reference = read_reference(path)
    if options.c2pa_cert or options.c2pa_key:
        _certificate(options)
    images = _pictures_of_video(options, reference)
    fps = options.fps
    if reference is None and fps is None:
        fps = interact.ask_int("Enter FPS", 25, problem=_outside("Enter FPS", 1, _HIGHEST_RATE, "frames per second"))
    bitrate = 16 if options.lossless else _bitrate(options, 16)
    if options.include_audio and (reference is None or not reference.info.audio):
        interact.info("The reference has no sound." if reference else "No --reference-file, so there is no sound.")
    settings = _settings(options, output, bitrate, options.lossless)
    with keeping_video_of_others(output), _marking(options, reference) as (target, metadata):
        count = encode_images(
            options.input_dir, target, fps or 25, settings, reference, options.include_audio, metadata,
            f"Writing {output.name}", options.hdr, images,
        )  # fmt: skip
    interact.info(f"{counted(count, 'frame')} written to {output}")


def _pictures_of_video(options, reference):
    """The pictures in order, one a frame; missing ones are refused, held or left out, as the flags say."""
    from core.video import sequence as video_sequence

    folder = options.input_dir
    sequence = video_sequence.look_at(folder, len(reference.times) if reference is not None else None)
    choice = options.missing or video_sequence.choice_for_masks(folder)
    _check_odd_pictures(folder, sequence, choice if reference is not None else "ignore")
    if sequence.is_complete:
        video_sequence.record_choice(folder, options.missing)
        return sequence.images
    lacking = _lacking(sequence)
    if choice == "hold" and sequence.missing:
        interact.warning(f"{folder}: {lacking}; the picture before each is repeated.")
    elif choice == "ignore":
        interact.warning(f"{folder}: {lacking}; the video gets shorter, so sound and pictures will not fit.")
    else:
        hold = "--hold-missing repeats the picture before, " if sequence.missing else ""
        raise UserError(
            f"{folder}: {lacking}, so the video would be shorter than its sound. Merge the rest first (the same command "
            f"goes on); {hold}--ignore-missing takes only what is there."
        )
    video_sequence.record_choice(folder, options.missing)
    return sequence.held() if choice == "hold" else sequence.images


def _lacking(sequence):
    from core.video.sequence import ranges_text

    if not sequence.missing:
        return (
            f"{sequence.unknown} of {len(sequence.images) + sequence.unknown} pictures are missing; "
            "their names do not tell which"
        )
    verb = "picture is" if len(sequence.missing) == 1 else "pictures are"
    named = ranges_text(sequence.missing, sequence.wanted)
    return f"{len(sequence.missing)} of {len(sequence.wanted)} {verb} missing ({named})"


def _check_odd_pictures(folder, sequence, choice):
    if sequence.doubled and choice != "ignore":
        raise UserError(
            f"{folder}: {counted(len(sequence.doubled), 'frame', 'have')} two pictures each ({sequence.doubled[0]}, of different kinds), so "
            "the video would be longer than its sound. Remove one of each; --ignore-missing shows both."
        )
    if sequence.surplus:
        first, last = sequence.surplus[0].name, sequence.surplus[-1].name
        interact.warning(
            f"{counted(len(sequence.surplus), 'picture', 'belong')} to none of the frames ({first} … {last})."
        )


def _marking(options, reference):
    """:func:`_marked_as` of a video of merged images."""
    return _marked_as(options, None if options.no_provenance else _story(options, reference))


@contextmanager
def _marked_as(options, story):
    """Yield where to write the result, and the tags for its container; sign it afterwards unless that is switched off."""
    from core.provenance.manifest import marked, metadata_of, remove_sidecar

    output = options.output_file
    if options.no_provenance:
        interact.warning(
            "--no-provenance: the video will carry no manifest and no note that a machine-learning model made it, so "
            "viewers cannot tell. Where the law asks for such a mark, adding it is up to you."
        )
        yield output, None
        remove_sidecar(output)
        return
    certificate = _certificate(options)
    with marked(output, certificate, story) as target:
        yield target, metadata_of(output)
    interact.info("Marked as made by a model (C2PA manifest, metadata). To check: main.py videoed verify FILE")


def _certificate(options):
    from core.provenance.certificate import load_certificate
    from core.provenance.manifest import check_library

    check_library()
    return load_certificate(options.c2pa_cert, options.c2pa_key)


def _story(options, reference):
    """What the manifest will tell: the reference, the model that merging recorded, consent records of the workspace."""
    from core.provenance.manifest import Story
    from merger.merge_record import consents_of, read_record
    from models.saved.model_hash import hash_model

    parent = reference.info.path if reference else None
    frames = options.input_dir
    record = read_record(frames) or read_record(frames.with_name(frames.name.removesuffix("_mask")))
    if options.model_dir is not None:
        record = {"model": hash_model(options.model_dir), "consent": record["consent"] if record else []}
    workspace = frames.parent.parent
    around = consents_of(workspace / name / "aligned" for name in ("data_src", "data_dst"))
    if record is None:
        interact.info("The merged images carry no record of the model; --model-dir names it in the manifest.")
        return Story(parent, consents=tuple(around))
    known = {consent["sha256"]: consent for consent in (*record["consent"], *around)}
    return Story(parent, model=record["model"], consents=tuple(known.values()))


def compare(options: argparse.Namespace) -> None:
    """Run ``compare``."""
    from core.provenance.manifest import Story
    from core.provenance.replaced_result import keeping_video_of_others
    from core.video.comparison import compare_videos

    original, output = resolve_input_file(options.original_file), options.output_file
    results = [resolve_input_file(path) for path in options.result_file]
    for path in (original, *results):
        if output.exists() and output.samefile(path):
            raise UsageError(f"{output}: is one of the videos that are compared. Give another --output-file.")
    settings = _settings(options, output, _bitrate(options, 16), False)
    labels = (
        () if options.no_labels else ("original", *("result" if len(results) == 1 else path.stem for path in results))
    )
    with keeping_video_of_others(output), _marked_as(options, Story(results[0])) as (target, metadata):
        count = compare_videos(
            original,
            results,
            target,
            settings,
            options.layout,
            not options.no_audio,
            labels,
            metadata,
            f"Writing {output.name}",
        )
    interact.info(f"{counted(count, 'frame')} written to {output}")


def verify(options: argparse.Namespace) -> int | None:
    """Run ``verify``."""
    from core.provenance.manifest import check_library
    from core.provenance.reader import describe, read_marks
    from core.video.reading.probe import probe

    video = resolve_input_file(options.file)
    check_library()
    probe(video)
    marks = read_marks(video)
    interact.info(video)
    for line in describe(marks):
        interact.info(line)
    return marks.exit_code


def _bitrate(options, default):
    """Megabits per second from the flag or by asking. The label says MB/s because users know it so."""
    bitrate = options.bitrate
    if bitrate is None:
        problem = _outside("Bitrate", 1, _HIGHEST_BITRATE, "megabits per second")
        bitrate = interact.ask_int("Bitrate of output file in MB/s", default, problem=problem)
    return bitrate


def _outside(name, low, high, unit):
    """A function that says so when a number lies outside of ``low`` to ``high``."""

    def problem(number):
        return None if low <= number <= high else f"{name} {number}: give {unit}, {low} to {high}."

    return problem


def _settings(options, output, bitrate, lossless):
    from core.video.writing.encoders import EncoderSettings, check_container, check_encoder, default_encoder

    suffix = output.suffix.lower()
    check_container(suffix)
    encoder = options.encoder or default_encoder(suffix, options.ten_bit)
    check_encoder(encoder, options.ten_bit)
    return EncoderSettings(encoder, bitrate, lossless, options.ten_bit)


def _seconds(text, name):
    """Seconds of ``HH:MM:SS.mmm``, ``MM:SS`` or a plain number."""
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", text.strip())
    if not match:
        raise UsageError(f"{name} {text}: not a time. Write it as 00:01:30.500, or in seconds.")
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])


def _time_problem(name, begin=None):
    """A function that says what is wrong with a typed time, be it that it does not lie after ``begin``."""

    def problem(text):
        try:
            seconds = _seconds(text, name)
        except UsageError as error:
            return str(error)
        if begin is not None and seconds and seconds <= _seconds(begin, name):
            return f"The end {text} is not after the beginning {begin}."
        return None

    return problem


def _time_text(seconds):
    whole = int(seconds * 1000)
    return f"{whole // 3600000:02d}:{whole // 60000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"
