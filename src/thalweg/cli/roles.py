"""Which columns of a table are x, which are data, and which are the errors of data.

Columns whose name says that they hold errors are never fitted as data without a word.  Where each
column of data has one, found by its name ("signal_err", "dy" of y) or, if it has no other name than
"err" or the like, to its left, they are taken as sigma; else they are left out.  Both are told.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._files.sheet import Sheet
from .._files.table import why_skipped

# Words that name errors wherever they stand, those that do if nothing unknown stands beside them,
# and those that say nothing ("standard error of the mean").
_STRONG = frozenset(
    {"err", "error", "errors", "sigma", "σ", "stdev", "stddev", "stderr", "unc", "uncert"}
    | {"uncertainty", "uncertainties", "±", "+-", "+/-"}
    | {"fehler", "unsicherheit", "messunsicherheit", "standardabweichung", "stdabw", "stabw"}
    | {"erreur", "erreurs", "incertitude", "incertitudes", "errore", "errori", "incertezza"}
    | {"errores", "incertidumbre", "desvest", "erro", "erros", "incerteza", "fout", "onzekerheid"}
)
_WEAK = frozenset(
    {"std", "sd", "sem", "deviation", "dev", "abweichung", "abw", "écart", "ecart"}
    | {"desviación", "desviacion", "desvio", "deviazione", "standaardafwijking"}
)
_FILLING = frozenset(
    {"standard", "of", "the", "in", "mean", "de", "des", "der", "del", "di", "du", "la", "type"}
    | {"estándar", "estandar", "padrão"}
)
_ENDINGS = (
    *("stderr", "error", "err", "stdev", "stddev", "sigma", "unc", "uncertainty", "±"),
    *("fehler", "unsicherheit", "abweichung", "stdabw", "erreur", "incertitude"),
)
_BEGINNINGS = ("d", "d_", "δ", "delta", "u(", "u_", "σ", "s_", "e_", "±", "+/-")
_STANDARD_ERROR = re.compile(r"\b(SE|[Ss]\.[Ee]\.)(?!\w)")  # but "Se" is selenium
_PARTING = re.compile(r"[\s_.,;:()\[\]-]+")
_DIGITS = re.compile(r"\d+")
_NO_SIGMA = "none"


class Roles(NamedTuple):
    """Places of columns.

    Attributes
    ----------
    x, y, sigma, mask, group : list of int
        Those of x are as many as the model takes, or one for each of y.
    notes : list of str
        What was decided without being asked.
    """

    x: list[int]
    y: list[int]
    sigma: list[int]
    mask: list[int]
    group: list[int]
    notes: list[str]


def find_roles(
    sheet: Sheet,
    n_x: int,
    x: str | None,
    y: str | None,
    sigma: str | None,
    mask: str | None = None,
    group: str | None = None,
) -> Roles:
    """Return the roles of a table's columns for a model of ``n_x`` independent variables.

    Parameters
    ----------
    sheet : Sheet
    n_x : int
    x, y, sigma, mask, group : str or None
        Columns by name or by number from 1, separated by commas.

    Raises
    ------
    ValueError
        The table does not hold what is asked for.
    """
    n_columns = len(sheet.names)
    masks, groups = ([] if text is None else _places(sheet, text) for text in (mask, group))
    others = {*masks, *groups}
    values = [j for j in range(n_columns) if why_skipped(sheet, j) is None and j not in others]
    known = n_x != 1 or x is not None or y is not None
    period = 0 if known else _period([sheet.names[j] for j in values])
    if period:
        x, y = (",".join(str(j + 1) for j in values[k::period]) for k in (0, 1))
    xs = values[:n_x] if x is None else _places(sheet, x)
    xs = _checked_x(sheet, xs, n_x, 0 if y is None else y.count(",") + 1)
    asked = None if sigma in (None, _NO_SIGMA) else sigma
    sigmas = [] if asked is None else _places(sheet, asked)
    ys, notes = _data(sheet, {*xs, *sigmas, *others}) if y is None else (_places(sheet, y), [])
    if sigma is None:
        ys, sigmas, said = _errors(sheet, xs, ys, others, y is not None)
        notes += said
    elif y is None:
        ys, said = _without_errors(sheet, xs, ys)
        notes += said
    if not ys:
        raise ValueError(
            f"{sheet.name} has no column of numbers left for y"
            + (_alone(sheet) if n_columns == 1 else "")
        )
    for option, places in (("sigma", sigmas), ("mask", masks)):
        if len(places) not in (0, 1, len(ys)):
            raise ValueError(
                f"--{option} must name one column or one for each of the {len(ys)} columns of y, "
                f"got {len(places)}"
            )
    if groups and len(ys) > 1:
        raise ValueError(
            f"a table with --group has one column of y, and {', '.join(sheet.names[j] for j in ys)}"
            " are left: say which by --y"
        )
    notes += _told_of_groups(sheet, period, values, sigmas)
    return Roles(xs, ys, sigmas, masks, groups, notes)


def _checked_x(sheet: Sheet, xs: list[int], n_x: int, n_y: int) -> list[int]:
    """The places of x: as many as the model takes, or one for each of y."""
    if not xs:
        raise ValueError(f"{sheet.name} has no column of numbers")
    if len(xs) != n_x and not (n_x == 1 and len(xs) == n_y):
        raise ValueError(
            f"the model takes {n_x} independent variable{'s' * (n_x != 1)}, "
            f"and {len(xs)} {'column gives' if len(xs) == 1 else 'columns give'} them"
        )
    return xs


def _period(names: Sequence[str]) -> int:
    """After how many columns their names repeat, if each data set has an x of its own; else 0.

    Numbers aside, the last words of the names are then as those of "x1, y1, x2, y2" or
    "t, s, err, t, s, err".
    """
    words = ["".join(_DIGITS.sub("", name).split()[-1:]) for name in names]
    for n in (2, 3):
        group, times = words[:n], len(words) // n
        if times > 1 and all(group) and len(set(group)) == n and group * times == words:
            return n
    return 0


def _told_of_groups(sheet: Sheet, n: int, values: list[int], sigmas: list[int]) -> list[str]:
    """A note on data sets with an x of their own, and on the columns that have no role in them."""
    rest = [sheet.names[j] for j in values[2::n] if j not in sigmas] if n > 2 else []
    left = f"{', '.join(rest)} are left out; " if rest else ""
    said = "as the names of the columns repeat, each column of y has the x to its left; "
    return [f"{said}{left}--x and --y name others"] if n else []


def _alone(sheet: Sheet) -> str:
    return f"; nothing separates columns in line {sheet.lines[0]}, which separator= may name"


def _places(sheet: Sheet, columns: str) -> list[int]:
    return [sheet.place(column.strip()) for column in columns.split(",")]


def _data(sheet: Sheet, taken: set[int]) -> tuple[list[int], list[str]]:
    """The columns of numbers that have no role yet, and notes about the others."""
    places, notes = [], []
    for j, name in enumerate(sheet.names):
        if j in taken:
            continue
        reason = why_skipped(sheet, j)
        if reason is None and sheet.kind(j) == "dates":
            reason = "holds dates and is left out"
        if reason is None:
            places.append(j)
        else:
            notes.append(f"column {name} {reason}")
    return places, notes


# ---- errors ----------------------------------------------------------------------------------


def owner_of(name: str, others: Sequence[str]) -> str | None:
    """Return whose errors a column holds by its name, "" if it does not say; None if no errors."""
    name = _STANDARD_ERROR.sub("sem", name)
    lower, known = name.lower(), {_flat(other): other for other in others}
    for sign in _BEGINNINGS:
        owner = known.get(_flat(lower.removeprefix(sign))) if lower.startswith(sign) else None
        if owner is not None:
            return owner
    words = [word.rstrip("0123456789") or word for word in _flat(name).split()]
    strong, weak = ({*words, lower.strip()} & some for some in (_STRONG, _WEAK))
    if strong or weak:
        rest = " ".join(word for word in words if word not in _STRONG | _WEAK | _FILLING)
        return known.get(rest, None if rest and not strong else "")
    if ending := next((e for e in _ENDINGS if lower.endswith(e)), None):
        return known.get(_flat(lower.removesuffix(ending)), "")
    return None


def _flat(name: str) -> str:
    """A name in lower case, with one blank wherever something else than letters stands."""
    return _PARTING.sub(" ", name.lower()).strip()


def _owners(sheet: Sheet, xs: list[int], data: list[int], some: list[int]) -> dict[int, int | None]:
    """The columns among some that hold errors, with the column whose errors they are, if known."""
    found: dict[int, int | None] = {}
    for j in some:
        others = [i for i in (*data, *xs) if i != j]
        owner = owner_of(sheet.names[j], [sheet.names[i] for i in others])
        if owner is not None:
            found[j] = next((i for i in others if owner and sheet.names[i] == owner), None)
    for j, place in found.items():
        if place is None:
            left = max((i for i in data if i < j and i not in found), default=None)
            alone = [i for i in data if i not in found]
            found[j] = left if left is not None else alone[0] if len(alone) == 1 else None
    return found


def _errors(
    sheet: Sheet, xs: list[int], ys: list[int], others: set[int], chosen: bool
) -> tuple[list[int], list[int], list[str]]:
    """The columns of data and of their errors, and notes; ``chosen`` if the user named the data.

    The ``others`` have a role already.
    """
    taken = {*xs, *others, *(ys if chosen else ())}
    places = [j for j in range(len(sheet.names)) if j not in others]
    numbers = [j for j in places if j in ys or sheet.kind(j) == "numbers"]
    some = [j for j in numbers if j not in taken] if chosen else ys
    owners = _owners(sheet, xs, [j for j in numbers if j not in xs] if chosen else ys, some)
    if chosen:
        owners = {j: owner for j, owner in owners.items() if owner in ys}
    data = [j for j in ys if j not in owners]
    if not data or not owners:
        notes = [
            f"column {sheet.names[j]} is fitted as data, whatever its name says" for j in owners
        ]
        return ys, [], notes
    pairs = [[j for j, owner in owners.items() if owner == i] for i in data]
    if all(len(pair) == 1 for pair in pairs):
        sigma = [pair[0] for pair in pairs]
        if all(_are_positive(sheet, s, i) for s, i in zip(sigma, data, strict=True)):
            rest = [] if chosen else [j for j in owners if j not in sigma]
            return data, sigma, [_taken(sheet, sigma, data), *_left_out(sheet, xs, owners, rest)]
    return data, [], [] if chosen else _left_out(sheet, xs, owners, list(owners))


def _without_errors(sheet: Sheet, xs: list[int], ys: list[int]) -> tuple[list[int], list[str]]:
    """The columns of data that are no errors, if sigma was told, and notes about the others."""
    owners = _owners(sheet, xs, ys, ys)
    data = [j for j in ys if j not in owners]
    return (data, _left_out(sheet, xs, owners, list(owners))) if data else (ys, [])


def _are_positive(sheet: Sheet, place: int, data: int) -> bool:
    """Whether a column can be sigma of another: a number above 0 wherever there is a value."""
    return bool(((sheet.numbers(place) > 0) | np.isnan(sheet.numbers(data))).all())


def _taken(sheet: Sheet, sigma: list[int], data: list[int]) -> str:
    errors, owners = (", ".join(sheet.names[j] for j in some) for some in (sigma, data))
    one = len(sigma) == 1
    return (
        f"column{'' if one else 's'} {errors} {'is' if one else 'are'} taken as sigma of {owners}; "
        "--sigma none fits without"
    )


def _left_out(
    sheet: Sheet, xs: list[int], owners: dict[int, int | None], places: list[int]
) -> list[str]:
    notes = []
    for j in places:
        owner, name = owners[j], sheet.names[j]
        whose = "" if owner is None else f" of {sheet.names[owner]}"
        way = f"--sigma {shlex.quote(name)} takes it as sigma, --y {shlex.quote(name)} as data"
        if owner in xs:
            way = f"--y {shlex.quote(name)} fits it as data"
        notes.append(f"column {name} seems to hold errors{whose} and is left out; {way}")
    return notes
