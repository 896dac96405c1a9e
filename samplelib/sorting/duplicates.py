"""Finding pictures that show nearly the same, by a perceptual hash."""

import cv2
import numpy as np

HASH_SIDE = 16
DEFAULT_DISTANCE = 12

_WORK_SIZE = 64
_BITS_SET = np.array([bin(number).count("1") for number in range(256)], np.uint8)


def perceptual_hash(image: np.ndarray) -> np.ndarray:
    """(32,) uint8: the signs of the 16 × 16 lowest frequencies against their median, 256 bits.

    Small changes of light, compression, scale and noise turn few of them; ``image`` is (H, W, 3) uint8 BGR.

    References
    ----------
    Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_WORK_SIZE, _WORK_SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:HASH_SIDE, :HASH_SIDE].ravel()
    low[0] = np.median(low[1:])
    return np.packbits(low > np.median(low))


def keep_best_of_alike(hashes: np.ndarray, quality: np.ndarray, most_distance: int = DEFAULT_DISTANCE) -> np.ndarray:
    """Which pictures to keep: going from the best to the worst, each that is unlike all kept so far.

    Parameters
    ----------
    hashes : numpy.ndarray
        (n, 32) uint8.
    quality : numpy.ndarray
        (n,) higher is better; of equal ones the first counts as better.
    most_distance : int
        Pictures with at most this many different bits are alike.

    Returns
    -------
    numpy.ndarray
        (n,) bool.
    """
    keep = np.zeros(len(hashes), bool)
    kept = np.empty_like(hashes)
    count = 0
    for index in np.argsort(-np.asarray(quality, np.float64), kind="stable"):
        distance = _BITS_SET[kept[:count] ^ hashes[index]].sum(axis=1)
        if not count or distance.min() > most_distance:
            kept[count] = hashes[index]
            keep[index] = True
            count += 1
    return keep
