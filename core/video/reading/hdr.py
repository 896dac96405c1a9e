"""Tone mapping: pictures of PQ and HLG video for a usual display (BT.709, 8 bits)."""

import functools

import cv2
import numpy as np

_REFERENCE_WHITE = 203.0  # cd/m², ITU-R BT.2408
_PQ_PEAK = 10000.0
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_USUAL_PEAK = 1000.0
_BT2020_LUMINANCE = np.array([0.0593, 0.6780, 0.2627], np.float32)  # of B, G, R
_STEPS = 1 << 14
_DISPLAY_GAMMA = 2.4  # ITU-R BT.1886

# BT.2020 to BT.709 primaries (ITU-R BT.2407, section 2), for R, G, B.
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def tone_map(image: np.ndarray, transfer: str, peak: float | None = None) -> np.ndarray:
    """Bring an HDR picture to the light of a usual display.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint16 BGR, full range, BT.2020 primaries.
    transfer : str
        ``"smpte2084"`` (PQ) or ``"arib-std-b67"`` (HLG).
    peak : float, optional
        Brightest light in the video in cd/m²; 1000 when unknown.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) uint8 BGR, BT.709 primaries, for a display with a gamma of 2.4.

    Notes
    -----
    Light above the knee is compressed by the EETF of ITU-R BT.2390, section 5.4, from ``peak`` to the reference white
    of 203 cd/m² (ITU-R BT.2408). It is applied to the largest of R, G and B and scales all three, which keeps hues.
    """
    light = _pq_light()[image] if transfer == "smpte2084" else _hlg_display_light(_hlg_light()[image])
    brightest = light.max(axis=2)
    steps = (np.sqrt(brightest / _PQ_PEAK) * (_STEPS - 1)).astype(np.uint16)
    light *= _compression(float(peak or _USUAL_PEAK))[steps][:, :, None]
    light = cv2.transform(light, np.ascontiguousarray(_TO_BT709[::-1, ::-1]))
    levels = np.clip(light, 0, 1) * 65535
    return _gamma()[levels.astype(np.uint16)]


def pq_encode(light: np.ndarray) -> np.ndarray:
    """Value 0…1 of PQ (SMPTE ST 2084) for light in cd/m²."""
    power = (np.asarray(light, np.float64) / _PQ_PEAK).clip(0) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def pq_decode(value: np.ndarray) -> np.ndarray:
    """Light in cd/m² for a value 0…1 of PQ (SMPTE ST 2084)."""
    power = np.asarray(value, np.float64) ** (1 / _M2)
    return _PQ_PEAK * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _knee(value, maximum):
    """The EETF of BT.2390 on PQ values that are divided by that of the source's peak; black stays black."""
    start = 1.5 * maximum - 0.5
    t = (value - start) / (1 - start)
    spline = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * (1 - start) + (3 * t**2 - 2 * t**3) * maximum
    return np.where(value < start, value, spline)


@functools.cache
def _compression(peak):
    """Factors from light in cd/m² to 0…1 of the display, for the square roots of light in steps."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * _PQ_PEAK
    light[0] = light[1] / 2
    white = pq_encode(peak)
    if peak <= _REFERENCE_WHITE:
        return (np.minimum(light, _REFERENCE_WHITE) / light / _REFERENCE_WHITE).astype(np.float32)
    mapped = _knee((pq_encode(light) / white).clip(0, 1), pq_encode(_REFERENCE_WHITE) / white)
    return (pq_decode(mapped * white) / light / _REFERENCE_WHITE).astype(np.float32)


@functools.cache
def _pq_light():
    return pq_decode(np.arange(65536) / 65535).astype(np.float32)


@functools.cache
def _hlg_light():
    """Light of the scene 0…1 for each value of HLG (ITU-R BT.2100, table 5)."""
    value = np.arange(65536) / 65535
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12).astype(np.float32)


def _hlg_display_light(scene):
    """Light in cd/m² of a display with a peak of 1000 cd/m² (the OOTF of BT.2100)."""
    luminance = scene @ _BT2020_LUMINANCE
    return scene * (_HLG_PEAK * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1))[:, :, None]


@functools.cache
def _gamma():
    levels = (np.arange(65536) / 65535) ** (1 / _DISPLAY_GAMMA)
    return (levels * 255 + 0.5).astype(np.uint8)
