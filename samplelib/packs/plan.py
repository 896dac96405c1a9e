"""Decides which pictures a new pack of a folder holds, so that none of the pack that is there already gets lost."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.console import interact
from core.errors import UserError


@dataclass
class PlannedPicture:
    """One picture of the new pack: its name and person there, and the loose file or the place in the old pack.

    Parameters
    ----------
    filename : str
    person : str or None
    file : Path or None
        The loose picture with these bytes; None for one that only the old pack holds.
    entry : reading.PackEntry or None
        Its place in the old pack; None for one that is new.
    """

    filename: str
    person: str | None
    file: Path | None = None
    entry: Any = None


@dataclass
class PackPlan:
    """What a new pack will hold.

    Parameters
    ----------
    pictures : list of PlannedPicture
        In the order of the new pack.
    left_out : list of Path
        Loose pictures that are not packed.
    replaced : list of reading.PackEntry
        Pictures of the old pack whose names loose ones take; they have to be kept elsewhere.
    is_new : bool
        Whether the pack has to be written; False when the old one holds all of this under these names.
    """

    pictures: list[PlannedPicture] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    replaced: list[Any] = field(default_factory=list)
    is_new: bool = True

    @property
    def only_packed(self) -> int:
        """How many pictures are in the old pack and nowhere else."""
        return sum(picture.file is None for picture in self.pictures)


def plan_fresh_pack(candidates: Sequence[tuple[Path, str | None]]) -> PackPlan:
    """Plan of a folder without a pack: all ``candidates``, pairs of file and person."""
    return PackPlan([PlannedPicture(file.name, person, file) for file, person in _in_order(candidates)])


def plan_addition(
    candidates: Sequence[tuple[Path, str | None]],
    entries: Sequence[Any],
    is_packable: Callable[[Path, bytes], bool],
    choose: Callable[[list[Path], int], str],
) -> PackPlan:
    """Plan of a folder that has a pack: every picture of the pack and every loose one, each once.

    A picture is the same when its bytes are the same, whatever its name; sorting may have renamed it since, and the
    new name counts then. So does its person where the pack has none; a picture of one person stays that person's.

    Parameters
    ----------
    candidates
        Pairs of loose file and person.
    entries
        Pictures of the pack.
    is_packable : callable
        Takes a file and its bytes; tells, and says why not, whether it can be packed.
    choose : callable
        Takes the loose files that have the name of another picture of the pack, and how many pictures are in the pack
        only; returns ``"loose"``, ``"packed"`` or ``"both"``, or raises.
    """
    plan = PackPlan()
    known = {_key(entry.filename, entry.person_name): entry for entry in entries}
    sizes = {entry.size for entry in entries}
    kept = {id(entry): entry for entry in entries}
    same, unknown = [], []
    for file, person in interact.track(_in_order(candidates), "Comparing"):
        data = _read(file)
        if not is_packable(file, data):
            plan.left_out.append(file)
            continue
        entry = known.get(_key(file.name, person))
        if entry is not None and entry.size == len(data) and entry.read_bytes() == data:
            same.append(PlannedPicture(file.name, person, file, kept.pop(id(entry))))
        else:
            unknown.append((file, person, _digest(data) if len(data) in sizes else None))
    renamed, new = _matched_by_content(unknown, kept)
    names = {_key(entry.filename, entry.person_name): entry for entry in kept.values()}
    conflicts = [file for file, person in new if _key(file.name, person) in names]
    choice = choose(conflicts, len(kept)) if conflicts else "both"
    taken_names = {_key(file.name, person) for file, person in new} & set(names)
    if choice == "packed":
        plan.left_out += conflicts
        new = [(file, person) for file, person in new if _key(file.name, person) not in taken_names]
    elif choice == "loose":
        plan.replaced = [kept.pop(id(names[key])) for key in sorted(taken_names)]
    taken = {_key(picture.filename, picture.person) for picture in same}
    for entry in kept.values():
        name = _free_name([entry.filename], entry.person_name, taken)
        plan.pictures.append(PlannedPicture(name, entry.person_name, None, entry))
    plan.pictures += same
    for file, person in new:
        plan.pictures.append(PlannedPicture(_free_name([file.name], person, taken), person, file))
    for file, person, entry in renamed:
        if person is None and entry.person_name is not None:
            person, wishes = entry.person_name, [entry.filename]
        else:
            wishes = [file.name, entry.filename]
        plan.pictures.append(PlannedPicture(_free_name(wishes, person, taken), person, file, entry))
    plan.pictures.sort(key=lambda picture: (picture.person or "", picture.filename))
    plan.is_new = bool(new or plan.replaced) or any(_is_moved(picture) for picture in plan.pictures)
    return plan


def _read(file):
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error}). Nothing was packed.") from None


def _is_moved(picture):
    return (picture.person, picture.filename) != (picture.entry.person_name, picture.entry.filename)


def _in_order(candidates):
    return sorted(candidates, key=lambda pair: (pair[1] or "", pair[0].name))


def _matched_by_content(unknown, kept):
    """Split loose pictures into (file, person, entry) of those that the pack holds under another name, and the rest."""
    wanted = {digest for _, _, digest in unknown if digest is not None}
    found = defaultdict(list)
    if wanted:
        for entry in kept.values():
            found[_digest(entry.read_bytes())].append(entry)
    renamed, new = [], []
    for file, person, digest in unknown:
        entry = _best_match(found.get(digest, ()), person)
        if entry is None:
            new.append((file, person))
        else:
            found[digest] = [other for other in found[digest] if other is not entry]
            renamed.append((file, person, kept.pop(id(entry))))
    return renamed, new


def _best_match(entries, person):
    """Of pictures with the bytes of a loose one that of its person, else one without a person; a loose picture that lies in
    no folder of a person may be that of any."""
    for wanted in (person, None):
        for entry in entries:
            if entry.person_name == wanted:
                return entry
    return entries[0] if entries and person is None else None


def _free_name(wishes, person, taken):
    """The first of the wishes that is not taken, else the first with a number; it is taken then."""
    stem, suffix = os.path.splitext(wishes[0])
    number = 0
    candidates = iter(wishes)
    while (key := _key(name := next(candidates, f"{stem}_{number}{suffix}"), person)) in taken:
        number += 1
    taken.add(key)
    return name


def _key(filename, person):
    """What makes two pictures share a file; without case on Windows."""
    key = (person or "", filename)
    return tuple(part.casefold() for part in key) if os.name == "nt" else key


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()
