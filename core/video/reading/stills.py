"""Decoded pictures of a video as PNG and JPEG data."""

import threading
from fractions import Fraction
from typing import Any

import numpy as np

from core.files.imageio import encode_image
from core.video.reading.convert import ArrayConverter, PictureConverter
from core.video.reading.probe import VideoInfo

_FULL_RANGE = ":out_color_matrix=bt601:out_range=pc"
_JPEG_SCALE = 2


class StillEncoder:
    """Encodes pictures of one video as image files; may be called from several threads.

    Parameters
    ----------
    info : VideoInfo
    suffix : str
        ``".png"``, or ``".jpg"`` (quality 2 on ffmpeg's scale, full colour resolution).
    keep_hdr : bool
        HDR pictures keep their values, with 16 bits in PNG, instead of being tone-mapped.
    """

    def __init__(self, info: VideoInfo, suffix: str, keep_hdr: bool = False):
        self._info, self._keep_hdr = info, keep_hdr
        self._is_jpeg = suffix != ".png"
        self._tools = threading.local()

    def encode(self, picture: Any) -> bytes:
        """The data of the image file of an ``av.VideoFrame``."""
        if not hasattr(self._tools, "converter"):
            self._tools.converter = self._make_converter()
            self._tools.jpeg = None
        converted = self._tools.converter.convert(picture)
        if not self._is_jpeg:
            return encode_image(converted, ".png")
        return self._jpeg(_full_range_yuv(converted) if isinstance(converted, np.ndarray) else converted)

    def _make_converter(self):
        is_hdr = self._info.colour.is_hdr
        if self._is_jpeg and not (is_hdr and not self._keep_hdr):
            return PictureConverter(self._info, "yuvj444p", _FULL_RANGE)
        return ArrayConverter(self._info, deep=is_hdr and self._keep_hdr, tone_mapped=not self._keep_hdr)

    def _jpeg(self, picture):
        from av import CodecContext

        if self._tools.jpeg is None:
            encoder = CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj444p"
            encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
            encoder.qmin = encoder.qmax = _JPEG_SCALE
            self._tools.jpeg = encoder
        picture.pts = None
        return b"".join(bytes(packet) for packet in self._tools.jpeg.encode(picture))


def _full_range_yuv(pixels):
    """A full-range BT.601 picture of (H, W, 3) uint8 BGR pixels, as JPEG files hold."""
    from av import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace

    return VideoFrame.from_ndarray(pixels, "bgr24").reformat(
        format="yuvj444p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG
    )
