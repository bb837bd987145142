"""Data of the command line: from text files with columns of numbers, and from files of arrays.

A note tells the user what has been left out, and what was decided without being asked; a line tells
what was read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._archives import Content
from .._arguments.check import Array
from .._files.arrays import Arrays, is_array_file, read_arrays
from .._files.long import read_sheet
from .._files.rows import Format, in_words
from .._files.sheet import Sheet
from .._files.signs import in_words as signs_in_words
from .long_tables import find_groups, read_mask
from .roles import Roles, find_roles

_NAMED = 8  # up to so many columns are told one by one


@dataclass(frozen=True)
class Choice:
    """What the user picks of a file.

    Attributes
    ----------
    n_x : int
        Independent variables of the model.
    x, y, sigma, mask : str or None
        Columns by name or by number from 1, separated by commas; of files of arrays the name of an
        array, or, but for y, a file ``.npy`` or numbers.
    axis : tuple of int or None
        The axes of an array along which its points lie.
    group : str or None
        Columns, of which each value, or each combination of values, is a data set.
    """

    n_x: int
    x: str | None = None
    y: str | None = None
    sigma: str | None = None
    mask: str | None = None
    axis: tuple[int, ...] | None = None
    group: str | None = None


class DataSets(NamedTuple):
    """The data of a file, in the form that `thalweg.fit` takes.

    Attributes
    ----------
    x : ndarray or tuple of ndarray
        One independent variable or several.
    y : ndarray, shape (..., N)
    told : str
        What was read.
    sigma, mask, p0 : ndarray or None
    axis : tuple of int or None
    offsets : ndarray of int or None
        Where each data set begins in flat arrays, if they have different lengths.
    titles : list of str or None
        Names of the data sets, if a file of columns gives them.
    notes : tuple of str
        What the user should know about how the file was read.
    """

    x: Any
    y: Array
    told: str
    sigma: Array | None = None
    mask: Array | None = None
    p0: Array | None = None
    axis: tuple[int, ...] | None = None
    offsets: Array | None = None
    titles: list[str] | None = None
    notes: tuple[str, ...] = ()


def read(path: Path, choice: Choice, form: Format, whole: bool = True) -> DataSets:
    """Read data sets; the path "-" is the standard input.

    If not ``whole``, large arrays stay in their file, to be read in parts.

    Raises
    ------
    ValueError
        The file does not hold what is asked for; the sentence names the place.
    OSError
        The file cannot be read.
    ModuleNotFoundError
        The library that reads such files is missing.
    """
    source = Content("standard input", sys.stdin.buffer.read()) if str(path) == "-" else path
    if is_array_file(source):
        if choice.group is not None:
            raise ValueError(f"--group is for tables of columns, and {source} holds arrays")
        return _from_arrays(source, choice, whole)
    if choice.axis is not None:
        raise ValueError(f"--axis is for arrays, and {source} is a table of columns")
    sheet = read_sheet(source if isinstance(source, Path) else source.open(), form)
    roles = find_roles(
        sheet, choice.n_x, choice.x, choice.y, choice.sigma, choice.mask, choice.group
    )
    return _from_columns(sheet, roles, choice.n_x)


# ---- columns ---------------------------------------------------------------------------------


def _from_columns(sheet: Sheet, roles: Roles, n_x: int) -> DataSets:
    x = [sheet.numbers(j) for j in roles.x]
    y = _stacked([sheet.numbers(j) for j in roles.y])
    mask = _stacked([read_mask(sheet, j) for j in roles.mask]) if roles.mask else None
    data = DataSets(
        _stacked(x) if n_x == 1 else tuple(x),
        y,
        _told(sheet, roles, int(np.isnan(y).sum()), 0 if mask is None else int(mask.sum())),
        _stacked([sheet.numbers(j) for j in roles.sigma]) if roles.sigma else None,
        mask,
        titles=[sheet.names[j] for j in roles.y],
        notes=tuple(f"{sheet.name}: {note}" for note in (*sheet.notes, *roles.notes)),
    )
    return _grouped(data, sheet, roles.group) if roles.group else data


def _stacked(columns: Sequence[Array]) -> Array:
    """One column as (N,), several as (number of columns, N)."""
    return columns[0] if len(columns) == 1 else np.array(columns)


def _grouped(data: DataSets, sheet: Sheet, places: Sequence[int]) -> DataSets:
    """The data sets of a long table."""
    groups, n = find_groups(sheet, places), len(sheet.lines)
    names = ", ".join(sheet.names[j] for j in places)
    told = f"{data.told}; {len(groups.titles)} data sets by {names}"
    lost = f"{sheet.name}: {groups.n_left_out} of {n} rows have no {names} and are left out"
    return data._replace(
        x=groups.taken(data.x),
        y=groups.taken(data.y),
        sigma=groups.taken(data.sigma),
        mask=groups.taken(data.mask),
        told=told,
        offsets=groups.offsets if groups.n_points is None else None,
        titles=groups.titles,
        notes=(*data.notes, lost) if groups.n_left_out else data.notes,
    )


def _told(sheet: Sheet, roles: Roles, n_missing: int, n_masked: int) -> str:
    """What was read: rows, signs, and the role of each column."""
    rows = len(sheet.lines)
    words = [f"{rows} row{'s' * (rows != 1)}"]
    words += [f"columns separated by {in_words(sheet.separator)}"] if len(sheet.names) > 1 else []
    words += [signs_in_words(sheet.signs)] if signs_in_words(sheet.signs) else []
    words += [f"{n_missing} cell{'s' * (n_missing != 1)} of y empty or missing"] * (n_missing > 0)
    parts = [("x", roles.x), ("y", roles.y), ("sigma", roles.sigma), ("mask", roles.mask)]
    columns = [f"{part} is {_names(sheet, places)}" for part, places in parts if places]
    if roles.mask:
        columns[-1] += f", true in {n_masked} row{'s' * (n_masked != 1)}"
    return f"{sheet.name}: {', '.join(words)}; {'; '.join(columns)}"


def _names(sheet: Sheet, places: Sequence[int]) -> str:
    names = [
        f"{sheet.names[j]} ({sheet.units[j]})" if sheet.units[j] else sheet.names[j] for j in places
    ]
    if len(names) > _NAMED:
        return f"{len(names)} columns, {names[0]} to {names[-1]}"
    return ", ".join(names)


# ---- arrays ----------------------------------------------------------------------------------


def _from_arrays(path: Path | Content, choice: Choice, whole: bool) -> DataSets:
    names = {part: getattr(choice, part) or part for part in ("x", "y", "sigma", "mask")}
    held = read_arrays(path, {*names.values(), "p0"}, whole)
    name, notes = names["y"], []
    if choice.y is None and name not in held.found and len(held.names) == 1:
        name = held.names[0]
        notes.append(f"{path}: y is {name}, its only array")
    if name not in held.found:
        raise ValueError(
            f"{path} holds no array {name}, but {', '.join(held.names) or 'nothing'}"
            + ("; name it by --y" if choice.y is None and held.names else "")
        )
    y = held.found[name]
    axis = _axis(choice, held, y, path, notes)
    held = held._replace(found={n: _small(a, y) for n, a in held.found.items()})
    points: Any = _part(held, choice.x, "x")
    if points is None:
        points = _pixels(y, choice.n_x, axis, path)
    several = choice.n_x > 1 and isinstance(points, np.ndarray)
    sigma, mask = _part(held, choice.sigma, "sigma"), _part(held, choice.mask, "mask")
    return DataSets(
        tuple(points) if several else points,
        y,
        _told_of_arrays(path, y, axis, choice, {"x": points, "sigma": sigma, "mask": mask}),
        sigma,
        mask,
        held.found.get("p0"),
        axis,
        notes=tuple(notes),
    )


def _small(array: Any, y: Any) -> Any:
    """An array in memory, unless it is as large as y, which may have stayed in its file."""
    return array if array.size >= y.size else np.asarray(array[...])


def _axis(
    choice: Choice, held: Arrays, y: Array, path: Path | Content, notes: list[str]
) -> tuple[int, ...] | None:
    """The axes of the points: those that were said; else the pages of a stack, for one x."""
    if choice.axis is not None or not (held.pages and choice.n_x == 1):
        return choice.axis
    notes.append(f"{path}: its {y.shape[0]} pages are the points; --axis names another axis")
    return (0,)


def _part(held: Arrays, text: str | None, part: str) -> Any:
    """The array of a part: of the file, of a ``.npy`` file, or numbers separated by commas."""
    if text is None or text in held.found:
        return held.found.get(part if text is None else text)
    if part == "sigma" and text == "none":
        return None
    if Path(text).suffix == ".npy":
        return read_arrays(Path(text), ("y",)).found["y"]
    try:
        return np.array([float(number) for number in text.split(",")])
    except ValueError:
        raise ValueError(
            f"--{part} must be a .npy file or numbers separated by commas, got {text!r}"
            + (f"; the file has the arrays {', '.join(held.names)}" if len(held.names) > 1 else "")
        ) from None


def _pixels(y: Array, n_x: int, axis: tuple[int, ...] | None, path: Path | Content) -> Any:
    """Column and row numbers of images, for a model of two variables."""
    if n_x != 2 or y.ndim < 2 or (axis is not None and len(axis) != 2):
        raise ValueError(
            f"--x is needed, as {path} holds no x: a .npy file, or numbers such as 1,2,5"
        )
    rows, columns = np.indices([y.shape[a] for a in axis or (-2, -1)])
    return columns, rows


def _told_of_arrays(
    path: Path | Content,
    y: Array,
    axis: tuple[int, ...] | None,
    choice: Choice,
    parts: dict[str, Any],
) -> str:
    """What was read: the shape of y, where its points lie, and where the other arrays are from."""
    words = [f"y has shape {' x '.join(map(str, y.shape)) or '()'}"]
    if axis is not None:
        words[0] += f", points along axis {', '.join(map(str, axis))}"
    elif choice.n_x == 1:
        words[0] += ", points along the last axis"
    for part, array in parts.items():
        given = getattr(choice, part) or part
        if hasattr(array, "size"):
            n = array.size
            words.append(f"{part} is {given}" if given.count(",") < 1 else f"{part} is {n} numbers")
    return f"{path}: {'; '.join(words)}"
