"""The look that ``merge`` takes before it begins: were the faces cut out of these frames?"""

from pathlib import Path

from core.console import interact
from core.errors import FormatError, UserError
from merger.run.request import MergeRequest

_MOST_FRAMES_OF_A_VIDEO = 300
_MOST_NAMED = 3


def check_sources(request: MergeRequest, frames: list, samples: list) -> None:
    """Refuse to merge faces into frames that they were not cut out of; ``--force`` makes it a warning.

    Parameters
    ----------
    request
        Of the command line.
    frames : list of merger.frames.Frame
        With the faces that name them.
    samples : list of samplelib.faces.sample.Sample

    Raises
    ------
    UserError
        When too many of the faces that were compared do not fit. (That no face names any frame at all is a warning of
        :func:`merger.frames.match_faces`, as all frames are just copied then.)
    """
    named = [sample for sample in samples if _belongs_somewhere(sample.metadata)]
    if not named:
        return
    problem = _compared(request, frames, named)
    if problem is None:
        return
    if not request.force:
        raise UserError(f"{problem} Nothing was merged; --force merges all the same.")
    interact.warning(f"{problem} Merging all the same, because of --force.")


def _belongs_somewhere(metadata):
    return bool(metadata.source_filename) and metadata.source_landmarks is not None


def _compared(request, frames, named):
    """What is wrong with the frames as far as some of the faces tell, or None."""
    from merger import source_check

    faces = _faces_to_check(request, frames, named)
    indices = source_check.frames_to_read(faces, len(frames))
    sizes = _recorded_sizes(request.aligned_dir)
    recorded = {index: sizes[frames[index].path.name] for index in indices if frames[index].path.name in sizes}
    findings = source_check.compare(faces, _pictures(request, frames, indices), recorded)
    wrong = source_check.wrong(findings)
    single = [finding for finding in findings if not finding.fits and not wrong]
    for finding in single:
        interact.warning(f"{_describe(finding, frames)}. The other faces fit, so merging goes on.")
    if not wrong:
        return None
    told = "; ".join(_describe(finding, frames) for finding in wrong[:_MOST_NAMED])
    return (
        f"{_place(request)}: these are not the frames that the faces of {request.aligned_dir} were cut out of; "
        f"{len(wrong)} of {len(findings)} faces that were compared do not fit: {told}"
        f"{' …' if len(wrong) > _MOST_NAMED else ''}. Put the frames of the extraction back, or extract the faces anew."
    )


def _faces_to_check(request, frames, named):
    """Faces spread over the film; of a video, which is read from its beginning, over its first part that has faces."""
    from merger import source_check

    index_of = {frame.stem: frame.index for frame in frames}
    pairs = [(index_of.get(Path(sample.metadata.source_filename).stem), sample) for sample in named]
    pairs = sorted(((index, sample) for index, sample in pairs if index is not None), key=lambda pair: pair[0])
    if request.input_video is not None:
        pairs = [pair for pair in pairs if pair[0] <= pairs[0][0] + _MOST_FRAMES_OF_A_VIDEO]
    faces = []
    for place in source_check.choose(len(pairs)):
        index, sample = pairs[place]
        metadata = sample.metadata
        try:
            picture = sample.read_bgr()
        except (FormatError, OSError):
            continue
        face = source_check.face_to_check(sample.name, index, picture, metadata.landmarks, metadata.source_landmarks)
        if face is not None:
            faces.append(face)
    return faces


def _pictures(request, frames, indices):
    """Index and picture of the frames; one that cannot be read is left out here, and reported where it is merged."""
    if request.input_video is not None:
        from core.video.frames import read_frames

        wanted = set(indices)
        for index, image in enumerate(read_frames(request.input_video, max(wanted, default=-1) + 1)):
            if index in wanted:
                yield index, image
        return
    from core.files.imageio import read_bgr
    from core.parallel import ordered_map

    for outcome in ordered_map(lambda index: read_bgr(frames[index].path), indices):
        if outcome.error is None:
            yield outcome.item, outcome.value


def _recorded_sizes(aligned_dir):
    """Frame name → (width, height) as the extraction noted them beside the faces; empty for DeepFaceLab's faces."""
    from samplelib.extraction.journal import read_state

    return {name: result.size for name, result in read_state(aligned_dir).results.items() if result.size}


def _describe(finding, frames):
    name, now = frames[finding.frame].path.name, finding.now
    if finding.then is not None and finding.then != now:
        about = "" if finding.is_recorded else "about "
        return (
            f"{finding.name} was cut out of {name} when it was {about}{finding.then[0]}x{finding.then[1]}, "
            f"and it is {now[0]}x{now[1]} now"
        )
    if finding.better is not None:
        return f"{finding.name} fits {frames[finding.better].path.name} better than {name}, which it names"
    return f"{finding.name} does not fit {name} ({now[0]}x{now[1]})"


def _place(request):
    return request.input_dir or request.input_video
