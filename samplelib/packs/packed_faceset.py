"""Packing the face pictures of a folder into one file, and unpacking it; nothing gets lost in between."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.console import interact
from core.console.counted import counted
from core.errors import FormatError, UserError
from core.files.paths import atomic_write, list_folders, list_images, remove_if_present
from core.files.temporary import remove_dead
from core.files.trash import keep_bytes, trash_folder_of
from core.pickles import safe_pickle
from samplelib.faces import aligned_face
from samplelib.faces.faceset import report_without_face_data
from samplelib.faces.jpeg_segments import is_complete
from samplelib.packs import index
from samplelib.packs import plan as pack_plan
from samplelib.packs.names import PACK_NAME
from samplelib.packs.reading import cure, read_pack
from samplelib.packs.writer import is_packable, write_pack

_LONGEST_NAME = 255


@dataclass(frozen=True)
class Packed:
    """Result of packing.

    Parameters
    ----------
    path : Path
        The pack.
    files : list of Path
        The loose pictures that are in it.
    left_out : list of Path
        The loose pictures that are not.
    names : list of tuple
        Person and name in the pack of each of ``files``.
    only_packed : int
        How many pictures are in the pack and nowhere else.
    replaced : list of Path
        Where pictures of the old pack went whose names loose ones took.
    is_new : bool
        Whether the pack was written; False when it held all that already.
    """

    path: Path
    files: list[Path]
    left_out: list[Path]
    names: list[tuple[str | None, str]]
    only_packed: int = 0
    replaced: tuple[Path, ...] = ()
    is_new: bool = True


def person_folders(folder: Any) -> list[Path]:
    """Sub-folders, one per person, sorted by name."""
    return list_folders(folder)


def pack_faceset(folder: Any, persons: bool = False, pack_name: str = PACK_NAME, choose: Any = None) -> Packed:
    """Pack the face pictures of a folder, or of its sub-folders, into one file. Deletes nothing.

    Pictures of a pack that is there already stay in it; the loose ones are added. Of a loose picture and another one of
    the same name in the pack, ``choose`` tells which is wanted. What it drops from the pack goes to the trash folder.

    Parameters
    ----------
    folder
        Holds the pictures, and afterwards the pack, which replaces an existing one in one step.
    persons : bool
        Pack only what is in the sub-folders, under their names.
    choose : callable, optional
        See :func:`samplelib.packs.plan.plan_addition`; without it, an error.

    Raises
    ------
    NothingToDo
        When there is no face picture.
    FormatError
        When the pack that is there is damaged; it stays as it is.
    UserError
        When there are pictures of the same name and nobody chooses, or the pack cannot be written.
    """
    folder = Path(folder)
    path = folder / pack_name
    remove_dead(folder)
    candidates = []
    for source, person in [(item, item.name) for item in person_folders(folder)] if persons else [(folder, None)]:
        candidates += [(file, person) for file in list_images(source)]
    if path.is_file():
        plan = pack_plan.plan_addition(candidates, _whole_pack(path), is_packable, choose or _refuse_to_choose)
    else:
        plan = pack_plan.plan_fresh_pack(candidates)
    replaced = tuple(_to_trash(folder, plan.replaced))
    try:
        packed = write_pack(path, plan, _compare_with_old) if plan.is_new else plan.pictures
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}). Nothing was deleted.") from error
    if plan.is_new:
        index.remove_index(path)
    report_without_face_data([file for file in plan.left_out if file.is_file() and _has_no_face_data(file)])
    loose = [picture for picture in packed if picture.file is not None]
    return Packed(
        path,
        [picture.file for picture in loose if picture.file is not None],
        plan.left_out,
        [(picture.person, picture.filename) for picture in loose],
        plan.only_packed,
        replaced,
        plan.is_new,
    )


def verify_pack(packed: Packed) -> None:
    """Read the pack back: every picture in it must be whole, and the loose ones equal to their originals.

    Raises
    ------
    FormatError
        When they differ, for example because a file changed meanwhile.
    """
    entries = read_pack(packed.path, keep_open=False)
    files = dict(zip(packed.names, packed.files))
    if len(entries) != len(files) + packed.only_packed:
        raise FormatError(packed.path, "does not hold all pictures; pack again")
    for entry in interact.track(entries, "Checking the pack"):
        data = entry.read_bytes()
        if not is_complete(data):
            raise _damaged_pictures(packed.path, [entry], len(entries))
        file = files.pop((entry.person_name, entry.filename), None)
        if file is not None and file.read_bytes() != data:
            raise FormatError(packed.path, f"does not hold {file} as it is now; pack again")
    if files:
        raise FormatError(packed.path, f"does not hold {next(iter(files.values()))}; pack again")


def delete_originals(packed: Packed) -> None:
    """Delete the pictures that are in the pack, after comparing each with it; then folders of persons that are empty.

    Raises
    ------
    FormatError
        When the pack does not hold them as they are now; nothing is deleted then.
    UserError
        When one cannot be deleted; the same call finishes it later.
    """
    verify_pack(packed)
    persons = {entry.person_name for entry in read_pack(packed.path, keep_open=False)}
    try:
        for file in packed.files:
            file.unlink()
        for folder in person_folders(packed.path.parent):
            if folder.name in persons and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise UserError(
            f"{error.filename}: cannot be deleted ({error.strerror or error}). All pictures are in {packed.path}; solve this "
            "and run the same command again to finish."
        ) from None


def packed_persons(folder: Any, pack_name: str = PACK_NAME) -> set[str]:
    """Persons of the pack of a folder; empty without a pack."""
    path = Path(folder) / pack_name
    if not path.is_file():
        return set()
    return {entry.person_name for entry in read_pack(path, keep_open=False) if entry.person_name is not None}


def unpack_faceset(
    folder: Any, may_replace: Any = None, pack_name: str = PACK_NAME, allow_damaged: bool = False
) -> int:
    """Write every picture of a pack back into the folder, or into one sub-folder per person, then delete the pack.

    Before anything is written, every picture is looked through to its end.

    Parameters
    ----------
    folder
        Holds the pack.
    may_replace : callable, optional
        Takes the list of existing files with other content; returns whether they may be replaced. Without it they may
        not.
    allow_damaged : bool
        Take the whole pictures of a damaged pack, which stays then; the others are named.

    Returns
    -------
    int
        Number of pictures written.

    Raises
    ------
    FormatError
        When the pack is damaged or names a place outside the folder; nothing is written then.
    UserError
        When a file cannot be written or must not be replaced; the pack stays.
    """
    folder = Path(folder)
    path = folder / pack_name
    entries, damaged = _whole_and_damaged(read_pack(path, keep_open=False, cut_off=allow_damaged))
    if damaged and not allow_damaged:
        raise _damaged_pictures(path, damaged, len(entries) + len(damaged))
    places = [_place(folder, entry) for entry in entries]
    for parent in {place.parent for place in places}:
        remove_dead(parent)
    if len(set(map(_comparable, places))) != len(places):
        raise FormatError(path, "holds two pictures of the same name")
    conflicts = [place for place, entry in zip(places, entries) if _differs(place, entry)]
    if conflicts and not (may_replace and may_replace(conflicts)):
        raise UserError(
            f"{folder}: {counted(len(conflicts), 'file', 'are')} in the way: of the same name, but other content, for example "
            f"{conflicts[0].name}. Move them away; the pack was left as it is."
        )
    for place, entry in interact.track(list(zip(places, entries)), "Unpacking"):
        _make_folder(place.parent)
        atomic_write(place, entry.read_bytes())
    for entry in damaged:
        interact.error(f"{entry.place}: is cut off or damaged, so it was not unpacked.")
    if damaged:
        interact.error(
            f"{path}: stays, because {len(damaged)} of its pictures are damaged. Move it away to work without them."
        )
    else:
        index.remove_index(path)
        remove_if_present(path)
    return len(entries)


def _make_folder(folder):
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error}). The pack was left as it is.") from None


def _whole_pack(path):
    """Entries of a pack in which every picture is whole."""
    entries, damaged = _whole_and_damaged(read_pack(path, keep_open=False))
    if damaged:
        raise _damaged_pictures(path, damaged, len(entries) + len(damaged))
    return entries


def _whole_and_damaged(entries):
    whole, damaged = [], []
    for entry in interact.track(entries, "Checking the pack"):
        (whole if _is_whole(entry) else damaged).append(entry)
    return whole, damaged


def _is_whole(entry):
    try:
        return is_complete(entry.read_bytes())
    except FormatError:
        return False


def _damaged_pictures(path, damaged, count):
    first = safe_pickle.printable(damaged[0].filename)
    return FormatError(
        path,
        f"{len(damaged)} of its {count} pictures are cut off or damaged, first {first}. Nothing was changed. {cure(path)}",
    )


def _refuse_to_choose(files, only_packed):
    raise UserError(
        f"{files[0].parent}: {counted(len(files), 'picture', 'differ')} from what has the same name in the pack, for example "
        f"{files[0].name}, and {only_packed} pictures are only in the pack. Nothing was changed. Give --same-name loose, "
        "packed or both."
    )


def _has_no_face_data(file):
    try:
        return aligned_face.read_metadata(file) is None
    except FormatError:
        return False


def _to_trash(folder, entries):
    """Write pictures of a pack to the trash folder."""
    trash = trash_folder_of(folder)
    for entry in entries:
        yield keep_bytes(entry.read_bytes(), trash / _place(folder, entry).name)


def _compare_with_old(path, pictures):
    """Make sure that a new pack holds all that comes from the old one, bytes and index, before it takes its place."""
    if not any(picture.entry is not None for picture in pictures):
        return
    for new, picture in zip(read_pack(path, keep_open=False), pictures, strict=True):
        old = picture.entry
        if old is None:
            continue
        if new.read_bytes() != old.read_bytes() or new.index_metadata() != old.index_metadata():
            raise UserError(f"{old.place}: did not arrive in the new pack. The old one was kept; try again.")


def _place(folder, entry):
    names = [entry.filename] if entry.person_name is None else [entry.person_name, entry.filename]
    for name in names:
        forbidden = any(character in "/\\:\0" or ord(character) < 32 for character in name)
        if forbidden or name in ("", ".", "..") or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
            raise FormatError(entry.pack, f"names a place outside its folder ({name[:80]!r}); nothing was unpacked")
    if not aligned_face.is_face_file(names[-1]):
        raise FormatError(entry.pack, f"holds {names[-1][:80]!r}, which is no face picture; nothing was unpacked")
    return folder.joinpath(*names)


def _comparable(place):
    return os.path.normcase(str(place)).casefold() if os.name == "nt" else str(place)


def _differs(place, entry):
    if place.is_symlink() or (place.exists() and not place.is_file()) or place.parent.is_symlink():
        raise UserError(f"{place}: a link or folder is in the way. Move it away; the pack was left as it is.")
    if place.parent.exists() and not place.parent.is_dir():
        raise UserError(f"{place.parent}: is a file in the way. Move it away; the pack was left as it is.")
    return place.exists() and place.read_bytes() != entry.read_bytes()
