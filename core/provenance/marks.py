"""The statement that a video was made with a machine-learning model, in its metadata and as XMP."""

from pathlib import Path
from xml.sax.saxutils import escape

from core.version import NAME, VERSION
from core.video.reading.probe import open_media

# IPTC's term for pictures in which a trained model made or changed a part.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
COMMENT = f"Faces in this video were replaced by a machine-learning model ({NAME} {VERSION}). {SOURCE_TYPE}"

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOX_SUFFIXES = (".mp4", ".mov", ".m4v")
_MAX_XMP_BYTES = 16_000_000


def container_metadata(suffix: str) -> dict[str, str]:
    """Tags for ffmpeg's ``-metadata`` in a file with this suffix."""
    tags = {"comment": COMMENT}
    if suffix in (".mkv", ".webm"):
        tags["DIGITAL_SOURCE_TYPE"] = SOURCE_TYPE
    return tags


def add_xmp(path: Path) -> bool:
    """Append an XMP packet with the statement to an mp4 or mov file; False for other kinds, which hold none."""
    if Path(path).suffix.lower() not in _BOX_SUFFIXES:
        return False
    packet = _packet().encode()
    with open(path, "ab") as stream:
        stream.write((8 + 16 + len(packet)).to_bytes(4, "big") + b"uuid" + _XMP_UUID + packet)
    return True


def read_xmp(path: Path) -> str | None:
    """The XMP packet of an mp4 or mov file, or None."""
    size = Path(path).stat().st_size
    with open(path, "rb") as stream:
        position = 0
        while position + 8 <= size:
            stream.seek(position)
            head = stream.read(32)
            length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], 8
            if length == 1 and len(head) >= 16:
                length, start = int.from_bytes(head[8:16], "big"), 16
            elif length == 0:
                length = size - position
            if length < start or not kind.strip(b"\0").isascii():
                return None
            if kind == b"uuid" and head[start : start + 16] == _XMP_UUID:
                stream.seek(position + start + 16)
                return stream.read(min(length - start - 16, _MAX_XMP_BYTES)).decode("utf-8", "replace")
            position += length
    return None


def read_comment(path: Path) -> str | None:
    """The comment tag of the container, or None."""
    with open_media(path) as container:
        return next((text for key, text in container.metadata.items() if key.lower() == "comment"), None)


def _packet():
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmp:CreatorTool="{escape(NAME)} {escape(VERSION)}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(COMMENT)}</rdf:li></rdf:Alt></dc:description>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    )
