"""Groups of faces that are like each other."""

import numpy as np

_ROWS_AT_ONCE = 1024
_FEWEST_OF_TRACK, _SHARE_OF_TRACK = 3, 0.2


def group_by_likeness(vectors: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Groups of indices whose vectors point the same way, the largest group first.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d), of length 1.
    threshold : float
        Least mean cosine between the members of two groups that become one.

    Returns
    -------
    list of numpy.ndarray
        Together all indices; those of a group from the most to the least typical. Groups of one size are in the
        order of their first members.

    Notes
    -----
    Average linkage. Each vector first joins the group that it is most like, or opens one; then the groups that are
    each other's most similar ones are joined until none are similar enough. The mean cosine between two groups is
    the product of their means, which are not of length 1.
    """
    means, sizes, labels = _open_groups(vectors, threshold)
    while len(pairs := _pairs_to_join(means, threshold)):
        for kept, joined in pairs:
            total = sizes[kept] + sizes[joined]
            means[kept] = (means[kept] * sizes[kept] + means[joined] * sizes[joined]) / total
            sizes[kept], sizes[joined] = total, 0
            labels[labels == joined] = kept
        alive = np.flatnonzero(sizes)
        means, sizes, labels = means[alive], sizes[alive], np.searchsorted(alive, labels)
    groups = []
    for label in range(len(means)):
        members = np.flatnonzero(labels == label)
        groups.append(members[np.argsort(-(vectors[members] @ means[label]), kind="stable")])
    return sorted(groups, key=lambda members: (-len(members), members.min()))


def group_tracks(vectors: np.ndarray, tracks: list[np.ndarray], threshold: float) -> list[np.ndarray]:
    """As :func:`group_by_likeness`, with whole tracks of a film in place of single faces.

    A track is one person, so its faces go together, also those that are turned away or half hidden. Should two persons have got
    into one, as when they cross, each of those with a fifth of the track or more gets the faces that are nearer in time to its own.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d), of length 1.
    tracks : list of numpy.ndarray
        Indices of the faces of each track, in the order of the film. Faces in none of them count for themselves.
    threshold : float
        Least mean cosine.
    """
    units = [unit for track in tracks for unit in _persons_of_track(vectors, np.asarray(track), threshold)]
    within = np.zeros(len(vectors), bool)
    for unit in units:
        within[unit] = True
    units += [np.array([index]) for index in np.flatnonzero(~within)]
    means = np.stack([_direction(vectors[unit].mean(axis=0)) for unit in units])
    groups = []
    for members in group_by_likeness(means, threshold):
        faces = np.concatenate([units[member] for member in members])
        likeness = vectors[faces] @ _direction(vectors[faces].mean(axis=0))
        groups.append(faces[np.argsort(-likeness, kind="stable")])
    return sorted(groups, key=lambda faces: (-len(faces), faces.min()))


def _persons_of_track(vectors, track, threshold):
    """A track in one piece, or in as many as there are persons with a good part of it."""
    groups = group_by_likeness(vectors[track], threshold)
    large = [group for group in groups if len(group) >= max(_FEWEST_OF_TRACK, _SHARE_OF_TRACK * len(track))]
    if len(large) < 2:
        return [track]
    owner, places = (
        np.concatenate([np.full(len(group), number) for number, group in enumerate(large)]),
        np.concatenate(large),
    )
    nearest = np.abs(np.arange(len(track))[:, None] - places[None]).argmin(axis=1)
    return [track[owner[nearest] == number] for number in range(len(large))]


def _direction(vector):
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _open_groups(vectors, threshold):
    """Means (k, d), sizes (k,) and the group of each vector, after one pass over them."""
    means, sizes = np.zeros_like(vectors), np.zeros(len(vectors), np.int64)
    labels, count = np.zeros(len(vectors), np.int64), 0
    for index, vector in enumerate(vectors):
        likeness = means[:count] @ vector
        best = int(likeness.argmax()) if count else -1
        if best < 0 or likeness[best] < threshold:
            best, count = count, count + 1
        sizes[best] += 1
        means[best] += (vector - means[best]) / sizes[best]
        labels[index] = best
    return means[:count].copy(), sizes[:count].copy(), labels


def _pairs_to_join(means, threshold):
    """Pairs of groups, each the most similar one to the other, that are similar enough."""
    best, likeness = np.zeros(len(means), np.int64), np.full(len(means), -np.inf)
    for start in range(0, len(means), _ROWS_AT_ONCE):
        rows = means[start : start + _ROWS_AT_ONCE] @ means.T
        own = np.arange(len(rows))
        rows[own, start + own] = -np.inf
        best[start : start + len(rows)], likeness[start : start + len(rows)] = rows.argmax(axis=1), rows.max(axis=1)
    own = np.arange(len(means))
    chosen = (best[best] == own) & (own < best) & (likeness >= threshold)
    return [(int(group), int(best[group])) for group in own[chosen]]
