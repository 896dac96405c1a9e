"""Whether a file is shorter than its container says, as after a download that broke off."""

from pathlib import Path

_BOX_KINDS = (
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"uuid",
    b"pdin",
    b"moof",
    b"sidx",
    b"styp",
    b"mfra",
)
_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")

_UNKNOWN_LENGTH = 0xFFFFFFFF


def missing_bytes(path: Path) -> int:
    """How many bytes the container promises that the file does not hold; 0 where the container does not say.

    Understood are the boxes of mp4 and mov, the segment of Matroska and webm, and the first chunk of avi.
    """
    size = Path(path).stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(12)
        if head[4:8] in _BOX_KINDS:
            promised = _end_of_boxes(stream, size)
        elif head[:4] == _EBML:
            promised = _end_of_segment(stream)
        elif head[:4] == b"RIFF":
            length = int.from_bytes(head[4:8], "little")
            promised = 0 if length == _UNKNOWN_LENGTH else length + 8
        else:
            promised = 0
    return max(0, promised - size)


def _end_of_boxes(stream, size):
    """Where the last box of an mp4 or mov file ends."""
    position = 0
    while position + 8 <= size:
        stream.seek(position)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8 or head[4:8] not in _BOX_KINDS:
            break
        position += length
    return position


def _end_of_segment(stream):
    """Where the segment of a Matroska file ends; 0 when its size is not given."""
    stream.seek(4)
    length, _ = _number(stream)
    stream.seek(stream.tell() + (length or 0))
    if stream.read(4) != _SEGMENT:
        return 0
    length, is_known = _number(stream)
    return stream.tell() + length if is_known else 0


def _number(stream):
    """A variable-length number of EBML, and whether it is not the one that stands for unknown."""
    first = stream.read(1)
    if not first or not first[0]:
        return 0, False
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + stream.read(width - 1), "big") & ((1 << 7 * width) - 1)
    return value, value != (1 << 7 * width) - 1
