"""The pictures of a video as PyAV decodes them, each once, in the order in which they are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.video_probe import open_media, picture_stream


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
        Damage that was met behind the first picture.
    missing_start : int
        Packets before the first picture that need pictures from before the file began, as in a recording of a broadcast.
    """

    def __init__(self, path: Path, for_times: bool = False):
        self._container = open_media(path)
        self.stream = picture_stream(self._container, path)
        self.stream.thread_type = "AUTO"
        self.stream.codec_context.copy_opaque = True
        if for_times:
            self.stream.codec_context.options = {"skip_loop_filter": "all"}
        self.problems: list[str] = []
        self.missing_start = 0
        self._has_picture = False
        self._waiting: list[tuple[int, bool]] = []

    @property
    def start(self) -> Fraction:
        """When the file begins, in seconds of its own clock."""
        return Fraction(self._container.start_time or 0, 1_000_000)

    def __iter__(self) -> Iterator:
        for packet in self._packets():
            for picture in self._decode(packet):
                if not self._has_picture:
                    self._has_picture = True
                    self._note_missing_start(picture)
                if picture.is_corrupt:
                    self.problems.append("a picture is damaged")
                yield picture

    def _packets(self):
        """The packets of the stream and at last an empty one, also where reading ends early."""
        import av

        try:
            for number, packet in enumerate(self._container.demux(self.stream)):
                packet.opaque = PacketStamp(number, packet.dts)
                if not self._has_picture and packet.size and not packet.is_discard:
                    self._waiting.append((number, packet.is_keyframe))
                yield packet
        except av.error.FFmpegError as error:
            self.problems.append(error.strerror)
            yield None

    def _note_missing_start(self, picture):
        """Tell pictures that the file never held from damage: they come before the first that stands by itself."""
        waiting, self._waiting = self._waiting, []
        if not waiting or waiting[0][1] or picture.opaque is None:
            return
        self.missing_start = sum(number < picture.opaque.number for number, _ in waiting)
        self.problems.clear()

    def _decode(self, packet):
        import av

        try:
            return self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.problems.append(error.strerror)
            return []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._container.close()
