"""The pictures of a video as PyAV decodes them, each once, in the order in which they are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.video.reading.length import missing_bytes
from core.video.reading.probe import open_media, picture_stream


@dataclass(frozen=True)
class PacketStamp:
    """What the container says of the packet of a picture, in units of the stream's time base; None where it does not."""

    number: int
    decode_time: int | None


class PictureDecoder:
    """Decodes the pictures of the first video stream; an iterator of ``av.VideoFrame`` and a context manager.

    Each picture carries the :class:`PacketStamp` of its packet as ``opaque``. Damage does not end the decoding.

    Parameters
    ----------
    path : Path
    for_times : bool
        Leave out work that changes only how the pictures look.

    Attributes
    ----------
    stream : av.video.stream.VideoStream
    problems : list of str
        Damage that was met.
    missing_start : int
        Packets before the first picture that need pictures from before the file began, as in a recording of a broadcast.
    """

    def __init__(self, path: Path, for_times: bool = False):
        self._path, self._for_times = path, for_times
        self._absent = missing_bytes(path) if Path(path).is_file() else 0
        self._open(threaded=not self._absent)

    def _open(self, threaded):
        """Begin at the first picture. Threads that decode a picture each lose sound ones when they meet damage."""
        self._container = open_media(self._path)
        self.stream = picture_stream(self._container, self._path)
        self.stream.thread_type = "AUTO" if threaded else "SLICE"
        self.stream.codec_context.copy_opaque = True
        if self._for_times:
            self.stream.codec_context.options = {"skip_loop_filter": "all"}
        self._is_threaded = threaded
        self.problems = [f"the file lacks {self._absent} bytes at its end"] if self._absent else []
        self.missing_start = 0

    @property
    def start(self) -> Fraction:
        """When the file begins, in seconds of its own clock."""
        return Fraction(self._container.start_time or 0, 1_000_000)

    def seek(self, seconds: Fraction) -> None:
        """Begin near a time of the file's own clock instead of at the first picture; at the first if that is later."""
        if seconds > self.start:
            self._container.seek(int(seconds * 1_000_000))

    def __iter__(self) -> Iterator:
        given = 0
        for picture in self._pictures():
            given += 1
            yield picture
        if self._is_threaded and self.problems:
            self._container.close()
            self._open(threaded=False)
            for number, picture in enumerate(self._pictures()):
                if number >= given:
                    yield picture

    def _pictures(self):
        """Pictures to the end, or with threads up to the first damage."""
        waiting = []
        has_picture = False
        for packet in self._packets():
            if packet is not None and not has_picture and packet.size and not packet.is_discard:
                waiting.append((packet.opaque.number, packet.is_keyframe))
            for picture in self._decode(packet):
                if not has_picture:
                    has_picture = True
                    self._note_missing_start(waiting, picture)
                if picture.is_corrupt:
                    self.problems.append("a picture is damaged")
                if self._is_threaded and self.problems:
                    return
                yield picture
            if self._is_threaded and self.problems and has_picture:
                return

    def _packets(self):
        """The packets of the stream and at last an empty one, also where reading ends early."""
        import av

        try:
            for number, packet in enumerate(self._container.demux(self.stream)):
                packet.opaque = PacketStamp(number, packet.dts)
                if packet.is_corrupt and packet.size:
                    self.problems.append("a part of the file is damaged")
                yield packet
        except av.error.FFmpegError as error:
            self.problems.append(error.strerror)
            yield None

    def _decode(self, packet):
        import av

        try:
            return self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.problems.append(error.strerror)
            return []

    def _note_missing_start(self, waiting, picture):
        """Tell pictures that the file never held from damage: they come before the first that stands by itself."""
        if not waiting or waiting[0][1] or picture.opaque is None:
            return
        self.missing_start = sum(number < picture.opaque.number for number, _ in waiting)
        self.problems.clear()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._container.close()
