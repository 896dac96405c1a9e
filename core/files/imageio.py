"""Reading and writing pictures under any path, in memory, with atomic writes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.errors import FormatError, UserError
from core.files.image_checks import require_whole
from core.files.paths import atomic_write
from core.files.picture_limits import check_picture, read_picture_file
from core.imagelib.picture_header import decodable
from core.imagelib.png_codec import decode_png, encode_png

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def read_image(path: Path | str, megapixels: int | None = None) -> np.ndarray:
    """Decode a picture unchanged: alpha, 16 bit and grey are kept, Exif rotation is ignored.

    Parameters
    ----------
    path
    megapixels : int, optional
        Largest picture that is decoded, in units of 1024 x 1024 pixels; the limit of frames by default, see
        :mod:`core.files.picture_limits`.

    Returns
    -------
    numpy.ndarray
        (H, W) or (H, W, C), BGR channel order, dtype as stored.

    Raises
    ------
    FormatError
        When the file cannot be read or decoded, or is too large.
    """
    return decode_image(read_picture_file(path, megapixels), path, megapixels)


def read_picture_header(path: Path | str, megapixels: int | None = None) -> Any:
    """Size, channels and depth of a picture file, without decoding it; errors as of :func:`read_image`.

    Returns
    -------
    core.imagelib.picture_header.PictureHeader
    """
    return check_picture(read_picture_file(path, megapixels), path, megapixels)


def decode_image(data: bytes, name: Path | str = "image data", megapixels: int | None = None) -> np.ndarray:
    """Decode an encoded picture from ``bytes``; as :func:`read_image`. ``name`` is used in the error.

    A picture of which only a part is there is an error too.
    """
    data = data if isinstance(data, bytes) else bytes(data)
    check_picture(data, name, megapixels)
    image = _decoded(decodable(data))
    if image is None and data[:2] == _JPEG_START:
        image = _decoded(data + _JPEG_END)  # OpenCV 5 refuses JPEGs that lack only their end marker
    if image is None:
        raise FormatError(name, "is not a readable image")
    require_whole(data, name, _decoded)
    return image


def require_whole_file(path: Path | str) -> None:
    """Refuse a picture file that is cut off; see :func:`core.files.image_checks.require_whole`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None
    require_whole(data, path, _decoded)


def _decoded(data):
    image = decode_png(data)
    if image is not None:
        return image
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None


def to_bgr8(image: np.ndarray) -> np.ndarray:
    """Bring any decoded picture to (H, W, 3) uint8: grey is repeated, alpha dropped, 16 bit and float scaled down."""
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.clip(image.astype(np.float32) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if image.ndim == 2:
        image = image[:, :, None]
    channels = image.shape[2]
    if channels in (1, 2):
        image = np.repeat(image[:, :, :1], 3, axis=2)
    return np.ascontiguousarray(image[:, :, :3])


def read_bgr(path: Path | str, megapixels: int | None = None) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 BGR; see :func:`read_image` and :func:`to_bgr8`."""
    return to_bgr8(read_image(path, megapixels))


def encode_image(image: np.ndarray, suffix: str, quality: int | None = None) -> bytes:
    """Encode a uint8 or uint16 picture.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), BGR.
    suffix : str
        ``".jpg"``, ``".png"``, ``".tif"`` …; picks the encoder.
    quality : int, optional
        JPEG quality 0…100 (OpenCV's default 95), ignored for other kinds.

    Returns
    -------
    bytes
    """
    suffix = suffix.lower()
    if suffix == ".png" and (encoded := encode_png(image)) is not None:
        return encoded
    parameters = []
    if quality is not None and suffix in (".jpg", ".jpeg"):
        parameters = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    try:
        done, data = cv2.imencode(suffix, image, parameters)
    except cv2.error as error:
        raise UserError(f"cannot encode a picture of shape {image.shape} as {suffix}: {error.err}") from None
    if not done:
        raise UserError(f"cannot encode a picture of shape {image.shape} as {suffix}")
    return data.tobytes()


def write_image(path: Path | str, image: np.ndarray, quality: int | None = None) -> None:
    """Encode by the suffix of ``path`` and write atomically; see :func:`encode_image`."""
    atomic_write(path, encode_image(image, Path(path).suffix, quality))
