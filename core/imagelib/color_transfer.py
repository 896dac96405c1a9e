"""Colour transfer: giving one picture the colours of another.

All functions take and return BGR float32 pictures, values 0…1, shape (H, W, 3); source and target may differ in size
except where a function says otherwise. ``source`` is the picture to change, ``target`` the one whose colours it gets.
"""

import cv2
import numpy as np

MODES = ("rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m")
"""Names of the merger's modes, in the order of DeepFaceLab's numbering (1…8)."""

_COVARIANCE_FLOOR = 1e-5
_DEVIATION_FLOOR = 1e-6
_EIGENVALUE_FLOOR = float(np.finfo(np.float64).eps)
_NEUTRAL_LIGHT = 100
_BILATERAL_RADIUS_PER_SIGMA = 1.5
_SMALL_CHANGE = 0.25


def color_transfer(
    mode: str,
    source: np.ndarray,
    target: np.ndarray,
    source_mask: np.ndarray | None = None,
    target_mask: np.ndarray | None = None,
    rng: np.random.Generator | np.random.RandomState | None = None,
    inside: bool = False,
) -> np.ndarray:
    """Change the colours of ``source`` towards those of ``target``.

    Parameters
    ----------
    mode : str
        ``rct``, ``lct``, ``mkl``, ``idt``, ``sot``, ``mix``, or one of the last four with ``-m``: then both pictures are
        first multiplied by their masks.
    source, target : numpy.ndarray
        (H, W, 3) float32 BGR, 0…1. ``sot`` and ``mix`` need equal sizes.
    source_mask, target_mask : numpy.ndarray, optional
        (H, W) or (H, W, 1). Used by ``rct`` (statistics) and the ``-m`` modes.
    rng : numpy.random.Generator or numpy.random.RandomState, optional
        For ``idt``, ``sot`` and ``mix``; a new generator with seed 0 by default, so that results repeat.
    inside : bool
        Where masks are used, only pixels inside of them (from 0.5) count. Otherwise those outside count as black, as in
        DeepFaceLab, so that the size of a mask changes the colours.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) float32, 0…1.
    """
    if rng is None:
        rng = np.random.default_rng(0)
    if inside and (mode == "rct" or mode.endswith("-m")):
        source, target = _filled(source, source_mask), _filled(target, target_mask)
        source_mask = target_mask = None
    if mode == "rct":
        return reinhard(source, target, source_mask, target_mask)
    if mode.endswith("-m"):
        source, target = _masked(source, source_mask), _masked(target, target_mask)
    method = mode.removesuffix("-m")
    if method == "lct":
        return linear(source, target)
    if method == "mkl":
        return mkl(source, target)
    if method == "idt":
        return idt(source, target, rng)
    if method == "sot":
        batch = 30 if mode == "sot-m" else 5
        return np.clip(sot(source, target, rng, batch_size=batch), 0.0, 1.0)
    if method == "mix":
        return mix(source, target, rng)
    raise ValueError(f"unknown colour transfer mode {mode!r}; known: {', '.join(MODES)}, sot, mix")


def reinhard(
    source: np.ndarray,
    target: np.ndarray,
    source_mask: np.ndarray | None = None,
    target_mask: np.ndarray | None = None,
) -> np.ndarray:
    """Match mean and deviation of each channel in CIE Lab (``rct``).

    Parameters
    ----------
    source, target : numpy.ndarray
        (H, W, 3) float32 BGR, 0…1.
    source_mask, target_mask : numpy.ndarray, optional
        Pixels below 0.5 count as Lab (0, 0, 0) in the statistics; the result covers all pixels anyway.

    References
    ----------
    Reinhard, Ashikhmin, Gooch and Shirley, "Color transfer between images", 2001.
    """
    statistics = reinhard_statistics(target, target_mask)
    return reinhard_to_statistics(source, statistics, source_mask)


def reinhard_statistics(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Mean and population deviation of the Lab channels, as :func:`reinhard` uses them; (2, 3) float64."""
    return _lab_statistics(_to_lab(image), mask)


def reinhard_to_statistics(
    source: np.ndarray, statistics: np.ndarray, source_mask: np.ndarray | None = None
) -> np.ndarray:
    """:func:`reinhard` towards given target statistics ((2, 3): means, deviations)."""
    lab = _to_lab(source)
    mean, deviation = _lab_statistics(lab, source_mask)
    scale = statistics[1] / np.maximum(deviation, _DEVIATION_FLOOR)
    lab = lab * scale.astype(np.float32) + (statistics[0] - mean * scale).astype(np.float32)
    np.clip(lab[..., 0], 0, 100, out=lab[..., 0])
    np.clip(lab[..., 1:], -127, 127, out=lab[..., 1:])
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0.0, 1.0)


def shift_statistics(image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Move Lab means and deviations of a picture from ``before`` to ``after``, both (2, 3): means, deviations."""
    scale = after[1] / np.maximum(before[1], _DEVIATION_FLOOR)
    lab = _to_lab(image) * scale.astype(np.float32) + (after[0] - before[0] * scale).astype(np.float32)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), 0.0, 1.0)


def linear(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Match mean and covariance by symmetric square roots (``lct``).

    Notes
    -----
    With covariances :math:`C_X, C_Y` (plus 1e-5 on the diagonal) the map is
    :math:`C_Y^{1/2} C_X^{-1/2} (x - \\bar x) + \\bar y`.
    """
    return np.clip(_linear(source, target), 0.0, 1.0)


def mkl(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Match mean and covariance by the linear Monge-Kantorovitch map (``mkl``).

    References
    ----------
    Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", 2007.
    """
    pixels, mean = _centred(source)
    target_pixels, target_mean = _centred(target)
    covariance = pixels.T @ pixels / (len(pixels) - 1)
    target_covariance = target_pixels.T @ target_pixels / (len(target_pixels) - 1)
    values, vectors = np.linalg.eigh(covariance)
    root = np.sqrt(np.maximum(values, _EIGENVALUE_FLOOR))
    inner = root[:, None] * (vectors.T @ target_covariance @ vectors) * root
    inner_values, inner_vectors = np.linalg.eigh(inner)
    inner_root = np.sqrt(np.maximum(inner_values, _EIGENVALUE_FLOOR))
    middle = (inner_vectors * inner_root) @ inner_vectors.T
    transform = vectors @ (middle / root[:, None] / root) @ vectors.T
    return _affine(source, transform.T, target_mean - mean @ transform, clip=True)


def idt(
    source: np.ndarray,
    target: np.ndarray,
    rng: np.random.Generator | np.random.RandomState | None = None,
    bins: int = 256,
    rounds: int = 20,
    rotations: np.ndarray | None = None,
) -> np.ndarray:
    """Match the colour distributions by histogram matching along random axes (``idt``).

    Parameters
    ----------
    source, target : numpy.ndarray
        (H, W, 3) float32 BGR, 0…1; sizes may differ.
    rng : numpy.random.Generator or RandomState, optional
        Draws the rotations.
    bins, rounds : int
        Histogram bins and number of rotations; each round moves the pixels by 1/rounds of the way.
    rotations : numpy.ndarray, optional
        (rounds, 3, 3), used instead of drawn ones.

    References
    ----------
    Pitié, Kokaram and Dahyot, "N-dimensional probability density function transfer and its application to colour
    transfer", 2005.
    """
    if rotations is None:
        rotations = random_rotations(rounds, rng if rng is not None else np.random.default_rng(0))
    pixels = _planes(source)
    target_pixels = _planes(target)
    for rotation in np.asarray(rotations, np.float32):
        rotated, target_rotated = _product(rotation, pixels), _product(rotation, target_pixels)
        for values, target_values in zip(rotated, target_rotated, strict=True):
            _histogram_step(values, target_values, bins)
        pixels += _product(rotation.T / np.float32(len(rotations)), rotated)
    return np.clip(pixels.T.reshape(source.shape), 0.0, 1.0).astype(np.float32)


def sot(
    source: np.ndarray,
    target: np.ndarray,
    rng: np.random.Generator | np.random.RandomState | None = None,
    steps: int = 10,
    batch_size: int = 5,
    regularise: bool = True,
    sigma_space: float = 16.0,
    sigma_color: float = 5.0,
    directions: np.ndarray | None = None,
) -> np.ndarray:
    """Move the colour distribution by sliced optimal transport (``sot``); the result is not clipped.

    Parameters
    ----------
    source, target : numpy.ndarray
        (H, W, 3) float32 BGR of equal size.
    rng : numpy.random.Generator or RandomState, optional
        Draws three normal deviates per direction.
    steps, batch_size : int
        Gradient steps and directions per step.
    regularise : bool
        Smooth the change with a bilateral filter, so that neighbouring pixels move together.
    sigma_space, sigma_color : float
        Of that filter.
    directions : numpy.ndarray, optional
        (steps * batch_size, 3), any length, used instead of drawn ones.

    References
    ----------
    Rabin, Peyré, Delon and Bernot, "Wasserstein barycenter and its application to texture mixing", 2011.
    """
    if source.shape != target.shape:
        raise ValueError(f"source {source.shape} and target {target.shape} must have the same shape")
    if directions is None:
        directions = (rng if rng is not None else np.random.default_rng(0)).normal(size=(steps * batch_size, 3))
    directions = np.asarray(directions, np.float64)
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    original, target_pixels = _planes(source), _planes(target)
    transport = _Transport(target_pixels)
    pixels = original.copy()
    total = np.empty_like(pixels)
    for step in range(steps):
        total[:] = 0
        for direction in directions[step * batch_size : (step + 1) * batch_size]:
            transport.add_movement(direction, pixels, total)
        total /= np.float32(batch_size)
        pixels += total
    change = np.ascontiguousarray((pixels - original).T).reshape(source.shape)
    if regularise:
        change = smooth_change(change, sigma_color, sigma_space)
    return source + change


def mix(
    source: np.ndarray,
    target: np.ndarray,
    rng: np.random.Generator | np.random.RandomState | None = None,
    directions: np.ndarray | None = None,
) -> np.ndarray:
    """Linear transfer of the light, :func:`sot` for the colours at a constant light (``mix``)."""
    lab = cv2.cvtColor(_to_uint8(source * 255.0), cv2.COLOR_BGR2LAB)
    target_lab = cv2.cvtColor(_to_uint8(target * 255.0), cv2.COLOR_BGR2LAB)
    unit = np.float32(255.0)
    light = _linear(lab[..., :1].astype(np.float32) / unit, target_lab[..., :1].astype(np.float32) / unit)
    light = _to_uint8(np.clip(light, 0, 1) * unit)
    lab[..., 0] = _NEUTRAL_LIGHT
    target_lab[..., 0] = _NEUTRAL_LIGHT
    flat = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR).astype(np.float32)
    target_flat = cv2.cvtColor(target_lab, cv2.COLOR_LAB2BGR).astype(np.float32)
    colours = cv2.cvtColor(_to_uint8(sot(flat, target_flat, rng, directions=directions)), cv2.COLOR_BGR2LAB)
    colours[..., 0] = light[..., 0]
    return cv2.cvtColor(colours, cv2.COLOR_LAB2BGR).astype(np.float32) / unit


def histogram_match(source: np.ndarray, template: np.ndarray, threshold: float = 255) -> np.ndarray:
    """Give each channel of ``source`` the value distribution of ``template``, exactly (no bins).

    Parameters
    ----------
    source, template : numpy.ndarray
        (H, W, C) float32; sizes may differ.
    threshold : float
        0…255. The brightest source value maps to the ``threshold / 255`` quantile of the template; 255 is a full match.
    """
    result = np.empty(source.shape, np.float32)
    for channel in range(source.shape[2]):
        result[..., channel] = _match_channel(source[..., channel], template[..., channel], threshold)
    return result


def random_rotations(count: int, rng: np.random.Generator | np.random.RandomState) -> np.ndarray:
    """Uniformly distributed rotations of 3-space, (count, 3, 3) float64."""
    quaternions = rng.normal(size=(count, 4))
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _masked(image, mask):
    if mask is None:
        return image
    return image * mask.reshape(*mask.shape[:2], 1).astype(np.float32)


def _filled(image, mask):
    """The picture with the pixels outside the mask replaced by those inside, each about equally often."""
    if mask is None:
        return image
    selected = mask.reshape(mask.shape[:2]) >= 0.5
    count = np.count_nonzero(selected)
    if count in (0, selected.size):
        return image
    result = np.array(image, np.float32)
    rest = selected.size - count
    result[~selected] = image[selected][np.arange(rest) * count // rest if rest < count else np.arange(rest) % count]
    return result


def _planes(image):
    """Pixels as (3, H·W) contiguous float32, always a copy."""
    return np.array(image.reshape(-1, image.shape[2]).T, np.float32, order="C", copy=True)


def _to_uint8(image):
    return np.clip(image, 0, 255).astype(np.uint8)


def _to_lab(image):
    return cv2.cvtColor(np.clip(image, 0.0, 1.0).astype(np.float32, copy=False), cv2.COLOR_BGR2LAB)


def _lab_statistics(lab, mask):
    """Mean and deviation with pixels outside the mask counted as zeros."""
    selected = None if mask is None else (mask.reshape(lab.shape[:2]) >= 0.5).astype(np.uint8)
    mean, deviation = (value[:, 0] for value in cv2.meanStdDev(lab, mask=selected))
    if selected is not None:
        share = np.count_nonzero(selected) / selected.size
        square = (deviation**2 + mean**2) * share
        mean = mean * share
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return np.stack([mean, deviation])


def _centred(image):
    pixels = image.reshape(-1, image.shape[2]).astype(np.float64)
    mean = pixels.mean(axis=0)
    return pixels - mean, mean


def _product(matrix, planes):
    """``matrix @ planes`` on this thread alone: BLAS would have its threads spin for longer than the product takes."""
    return np.einsum("ij,jn->in", matrix, planes)


def _affine(image, matrix, offset, clip=False):
    """``matrix @ x + offset`` for every pixel x."""
    pixels = image.reshape(-1, image.shape[2]).astype(np.float32, copy=False)
    result = pixels @ matrix.T.astype(np.float32) + offset.astype(np.float32)
    if clip:
        np.clip(result, 0.0, 1.0, out=result)
    return result.reshape(image.shape)


def _linear(source, target):
    pixels, mean = _centred(source)
    target_pixels, target_mean = _centred(target)
    root, target_root = _covariance_root(pixels), _covariance_root(target_pixels)
    matrix = target_root @ np.linalg.inv(root)
    return _affine(source, matrix, target_mean - matrix @ mean)


def _covariance_root(centred):
    covariance = centred.T @ centred / len(centred) + _COVARIANCE_FLOOR * np.eye(centred.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _histogram_step(values, target_values, bins):
    """Replace ``values`` in place by how far histogram matching moves each of them."""
    low = min(values.min(), target_values.min())
    high = max(values.max(), target_values.max())
    width = (high - low) / bins
    if not width > 0:
        values[:] = 0
        return
    position = values - low
    position *= np.float32(1 / width)
    target_position = target_values - low
    target_position *= np.float32(1 / width)
    index = position.astype(np.intp)
    cumulative = _cumulative_histogram(index, bins)
    target_cumulative = _cumulative_histogram(target_position.astype(np.intp), bins)
    edges = low + width * np.arange(1, bins + 1, dtype=np.float64)
    mapped = np.interp(cumulative, target_cumulative, edges)
    # In bin i the map is a line through the two neighbouring right edges; it is 0 left of the first one.
    table = np.concatenate([[0], mapped, mapped[-1:]]).astype(np.float32)
    slopes = np.diff(table, append=table[-1])
    slopes[0] = 0
    start = table - slopes * np.arange(bins + 2, dtype=np.float32)
    position *= slopes.take(index)
    position += start.take(index)
    np.subtract(position, values, out=values)


def _cumulative_histogram(index, bins):
    counts = np.bincount(index, minlength=bins + 1)
    counts[bins - 1] += counts[bins]
    return (np.cumsum(counts[:bins]) / len(index)).astype(np.float32)


class _Transport:
    """One-dimensional optimal transport along directions, with work space that is allocated once.

    Everything is done one direction at a time, so that the data stay in the processor's cache.
    """

    def __init__(self, target_pixels):
        count = target_pixels.shape[1]
        coloured = target_pixels.any(axis=0)
        self._target = target_pixels if coloured.all() else np.ascontiguousarray(target_pixels[:, coloured])
        self._zeros = count - self._target.shape[1]
        self._indices = np.arange(count, dtype=np.uint32 if count <= 1 << 16 else np.uint64)
        self._ordered, self._moved, self._scaled = (np.empty(count, np.float32) for _ in range(3))

    def add_movement(self, direction, pixels, total):
        """Add to ``total`` (3, pixels) the movement of each pixel along ``direction``."""
        projected = direction @ pixels
        self._sort_target(direction @ self._target)
        moved = self._moved
        moved[_ascending_order(projected, self._indices)] = self._ordered
        moved -= projected
        for component, plane in zip(direction, total, strict=True):
            np.multiply(moved, component, out=self._scaled)
            plane += self._scaled

    def _sort_target(self, projected):
        """Fill ``_ordered``. Black pixels, often half of a masked picture, project to 0 and need no sorting."""
        if not len(projected):
            self._ordered[:] = 0
            return
        # A positive float32 sorts like its bits, and whole numbers sort about twice as fast.
        shift = np.float32(1 + max(0.0, -float(projected.min())))
        projected += shift
        sortable = projected.view(np.uint32)
        sortable.sort()
        projected -= shift
        below = int(np.searchsorted(projected, 0))
        self._ordered[:below] = projected[:below]
        self._ordered[below : below + self._zeros] = 0
        self._ordered[below + self._zeros :] = projected[below:]


def _ascending_order(values, indices):
    """Indices that sort ``values``, equal ones in order of index. Values are compared at 16 bits or more.

    Value and index are packed into one whole number each; NumPy sorts those several times faster than an argsort.
    """
    kind = indices.dtype.type
    index_bits = max(1, int(len(values) - 1).bit_length())
    value_bits = min(8 * indices.itemsize - index_bits, 24)
    low = values.min()
    extent = float(values.max() - low)
    scale = ((1 << value_bits) - 1) / extent if extent > 0 else 0.0
    scaled = values - low
    scaled *= np.float32(scale * (1 - 1e-7))
    keys = scaled.astype(kind)
    keys <<= kind(index_bits)
    keys |= indices
    keys.sort()
    keys &= kind((1 << index_bits) - 1)
    return keys.astype(np.intp)


def smooth_change(change: np.ndarray, sigma_color: float, sigma_space: float) -> np.ndarray:
    """Bilateral filter of a colour change, (H, W, 3) float32.

    Notes
    -----
    With changes far below ``sigma_color`` the colour weight is close to 1 and the filter is nearly a plain convolution
    with a Gaussian on a disc, which costs a tenth. The small rest, the difference of the two filters, is smooth and is
    computed on a picture reduced four times.
    """
    extent = float(change.max() - change.min()) if change.size else 0.0
    reduction = 4
    if extent > _SMALL_CHANGE * sigma_color or min(change.shape[:2]) < 8 * reduction or sigma_space < 2 * reduction:
        return cv2.bilateralFilter(change, 0, sigma_color, sigma_space)
    smooth = _disc_blur(change, sigma_space)
    height, width = change.shape[:2]
    small = cv2.resize(change, (width // reduction, height // reduction), interpolation=cv2.INTER_AREA)
    small_sigma = sigma_space / reduction
    rest = cv2.bilateralFilter(small, 0, sigma_color, small_sigma) - _disc_blur(small, small_sigma)
    return smooth + cv2.resize(rest, (width, height), interpolation=cv2.INTER_LINEAR)


def _disc_blur(image, sigma):
    radius = max(int(round(sigma * _BILATERAL_RADIUS_PER_SIGMA)), 1)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    square = (x * x + y * y).astype(np.float64)
    kernel = np.where(square <= radius * radius, np.exp(-square / (2 * sigma * sigma)), 0)
    return cv2.filter2D(image, -1, (kernel / kernel.sum()).astype(np.float32), borderType=cv2.BORDER_REFLECT_101)


def _match_channel(source, template, threshold):
    flat = source.ravel()
    order = np.argsort(flat, kind="stable")
    values, counts = _distinct(flat[order])
    template_values, template_counts = _distinct(np.sort(template.ravel()))
    quantiles = np.cumsum(counts) * (threshold / flat.size)
    template_quantiles = np.cumsum(template_counts) * (255.0 / template.size)
    matched = np.interp(quantiles, template_quantiles, template_values)
    result = np.empty(flat.shape, np.float32)
    result[order] = np.repeat(matched, counts)
    return result.reshape(source.shape)


def _distinct(ordered):
    """Distinct values of a sorted array and how often each occurs."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(np.append(starts, len(ordered)))
