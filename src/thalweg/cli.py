"""The command ``thalweg``: fit the data of a file, list the built-in models, say what runs here.

The exit status is 0 if every fit succeeded, 1 if one failed, 2 if the input is wrong, said in one
sentence, and 130 after Ctrl-C; then the fits that had finished are still written.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import __version__, tables
from ._core import engine
from .fit import fit
from .model import ModelInfo, as_model
from .model.library import get_model
from .model.registry import MODELS
from .result import FitResult
from .status import Status

_LISTED = 20  # failed fits that are told one by one
_TABULATED = 20  # fits whose parameters are printed
_BAD_INPUT, _INTERRUPTED = 2, 130

_FIT_HELP = """\
DATA is one of
  a CSV file  columns separated by commas, semicolons, tabs or blanks, with or without names in
              the first line; "#" begins a comment.  The first column is x, every other column of
              numbers a data set that is fitted by itself.
  x.npy       an array (..., N): data sets of N points, such as an image stack (ny, nx, N).
              --x gives the N abscissae.
  x.npz       arrays x, y and, if wanted, sigma, mask and p0.

For a model of two variables, x and y are the first two columns, an array (2, ...) or, by default,
the numbers of an image's columns and rows.  A value that begins with a minus sign needs "=", as in
--model="-a*x".

examples:
  thalweg fit decay.csv --model "a*exp(-t/tau) + c" --independent t --p0 a=1,tau=5,c=0
  thalweg fit peaks.csv --model gaussian --sigma error --absolute-sigma --out peaks-fit.csv
  thalweg fit echoes.npy --x 10,25,50,90 --model spin_echo --out t2.npz --plot t2.png
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the given arguments; return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone; Python's flush would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else f"{error}")
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        _say(f"{error}")
    return _BAD_INPUT


def _say(sentence: str) -> None:
    print(f"thalweg: {sentence}", file=sys.stderr)


# ---- arguments -------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="thalweg", description="Fit a formula to one data set or to millions.")
    parser.add_argument("--version", action="version", version=f"thalweg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands)
    models = commands.add_parser("models", help="list the built-in models, or tell about one")
    models.add_argument("name", nargs="?", metavar="NAME", help="the model to tell about")
    models.set_defaults(run=_run_models)
    info = commands.add_parser("info", help="version, instruction set, threads")
    info.set_defaults(run=_run_info)
    return parser


def _add_fit(commands: Any) -> None:
    parser = commands.add_parser(
        "fit",
        help="fit a model to the data of a file",
        description="Fit a model to every data set of a file by least squares.",
        epilog=_FIT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="CSV, .npy or .npz; see below")
    add = parser.add_argument
    add("--model", required=True, metavar="MODEL", help="a formula, or a name of `thalweg models`")
    add("--p0", type=_values, metavar="a=1,tau=5", help="start; built-in models guess it")
    add("--independent", metavar="t", help="independent variable of a formula; x, or x,y")
    add("--x", metavar="COL", help="column of x, by name or number; for arrays .npy or numbers")
    add("--y", metavar="COL,...", help="columns to fit")
    add("--sigma", metavar="COL", help="column of standard deviations; for arrays as --x")
    add("--absolute-sigma", action="store_true", help="sigma has the unit of y, not weights alone")
    add("--bounds", type=_bounds, metavar="tau=0:100", help="bounds; either side may be empty")
    add("--fixed", type=_fixed, metavar="c=0,d", help="parameters to hold, with value or at p0")
    add("--mask-below", type=float, metavar="VALUE", help="leave out points with y below this")
    add("--max-iter", type=int, metavar="N", help="most trial steps of a fit")
    for name in ("xtol", "ftol", "gtol"):
        add(f"--{name}", type=float, metavar="TOL", help="tolerance; see thalweg.fit")
    add("--threads", type=int, metavar="N", help="most threads")
    add("--float32", action="store_true", help="calculate in float32")
    add("--out", type=Path, metavar="FILE", help="results, as .csv or .npz")
    add("--plot", type=Path, metavar="FILE", help="picture, as .png, .svg or .pdf")
    add("--quiet", action="store_true", help="no summary and no progress bar")
    parser.set_defaults(run=_run_fit)


def _pairs(text: str) -> list[tuple[str, str | None]]:
    """``"a=1,b"`` as ``[("a", "1"), ("b", None)]``."""
    pairs = [item.strip().partition("=") for item in text.split(",")]
    if not all(name.strip().isidentifier() for name, _, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value,...")
    return [(name.strip(), value.strip() if sign else None) for name, sign, value in pairs]


def _one_number(text: str | None, name: str, default: float | None = None) -> float:
    if not text and default is not None:
        return default
    try:
        return float(text or "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name} needs a number, got {text or ''!r}") from None


def _values(text: str) -> dict[str, float]:
    return {name: _one_number(value, name) for name, value in _pairs(text)}


def _fixed(text: str) -> dict[str, float | None]:
    return {
        name: None if value is None else _one_number(value, name) for name, value in _pairs(text)
    }


def _bounds(text: str) -> dict[str, tuple[float, float]]:
    found = {}
    for name, value in _pairs(text):
        low, colon, high = (value or "").partition(":")
        if not colon:
            raise argparse.ArgumentTypeError(f"{name} needs bounds low:high, got {value or ''!r}")
        found[name] = _one_number(low, name, -np.inf), _one_number(high, name, np.inf)
    return found


# ---- thalweg fit -----------------------------------------------------------------------------


def _run_fit(arguments: argparse.Namespace) -> int:
    _check_outputs(arguments)
    model = _model(arguments)
    data = tables.read(arguments.data, model.n_x or 1, arguments.x, arguments.y, arguments.sigma)
    p0 = data.p0 if arguments.p0 is None else arguments.p0
    fixed = _hold(arguments.fixed, p0)
    _require_start(model, p0, fixed)
    try:
        with _progress(arguments.quiet) as progress:
            result = _fit(arguments, data, p0, fixed, progress)
    except KeyboardInterrupt as stop:
        _interrupted(arguments, getattr(stop, "result", None), data.titles)
        return _INTERRUPTED
    if arguments.out:
        tables.write(arguments.out, result, data.titles)
    if not arguments.quiet:
        print(_report(result, data.titles))
    if arguments.plot:
        _plot(arguments.plot, result, data.titles)
    _list_failed(result, data.titles)
    return 0 if result.success.all() else 1


def _fit(
    arguments: argparse.Namespace,
    data: tables.DataSets,
    p0: Any,
    fixed: Any,
    progress: Callable[[int, int], Any],
) -> FitResult:
    mask = data.mask
    if arguments.mask_below is not None:
        low = data.y < arguments.mask_below
        mask = low if mask is None else low | mask.astype(bool)
    return fit(
        arguments.model,
        data.x,
        data.y,
        p0,
        sigma=data.sigma,
        absolute_sigma=arguments.absolute_sigma,
        mask=mask,
        bounds=arguments.bounds,
        fixed=fixed,
        independent=_independent(arguments),
        dtype=np.float32 if arguments.float32 else None,
        xtol=arguments.xtol,
        ftol=arguments.ftol,
        gtol=arguments.gtol,
        max_iter=arguments.max_iter,
        threads=arguments.threads,
        callback=progress,
    )


def _independent(arguments: argparse.Namespace) -> list[str] | None:
    text = arguments.independent
    return None if text is None else [name.strip() for name in text.split(",")]


def _model(arguments: argparse.Namespace) -> ModelInfo:
    try:
        return as_model(arguments.model, _independent(arguments))
    except ValueError as error:
        raise ValueError(f"{error}".replace("independent=", "--independent")) from None


def _hold(fixed: dict[str, float | None] | None, p0: Any) -> Any:
    """What `fit` takes as ``fixed``: values by name, or names if none has a value."""
    if fixed is None or all(value is not None for value in fixed.values()):
        return fixed
    if all(value is None for value in fixed.values()):
        return list(fixed)
    given = p0 if isinstance(p0, dict) else {}
    for name, value in fixed.items():
        if value is None and name not in given:
            raise ValueError(f"--fixed {name} needs a value, here or in --p0")
    return {name: given.get(name) if value is None else value for name, value in fixed.items()}


def _require_start(model: ModelInfo, p0: Any, fixed: Any) -> None:
    needed = [name for name in model.names or () if name not in (fixed or ())]
    if p0 is None and model.guess is None and needed:
        example = ",".join(f"{name}=1" for name in needed)
        raise ValueError(
            f"--p0 is needed, a start for every parameter of a formula: --p0 {example}"
        )


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse, before anything is computed, what could not be written or would destroy an input."""
    outputs = {
        "--out": (arguments.out, (".csv", ".npz")),
        "--plot": (arguments.plot, (".png", ".svg", ".pdf")),
    }
    inputs = [arguments.data, *(Path(text) for text in (arguments.x, arguments.sigma) if text)]
    for option, (path, suffixes) in outputs.items():
        if path is None:
            continue
        if path.suffix not in suffixes:
            raise ValueError(f"{option} must end in {' or '.join(suffixes)}, got {path}")
        if not path.parent.is_dir():
            raise ValueError(f"{option}: there is no folder {path.parent}")
        if path.exists() and any(file.exists() and path.samefile(file) for file in inputs):
            raise ValueError(f"{option} {path} would overwrite the input")
    if arguments.plot:
        try:
            import matplotlib
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                '--plot needs matplotlib: python -m pip install "thalweg[plot]"'
            ) from None
        matplotlib.use("Agg")


@contextmanager
def _progress(quiet: bool) -> Any:
    """A progress bar for what takes more than half a second, if someone is watching."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield lambda done, total: None
        return
    off = True if quiet else None  # None: off unless stderr is a terminal
    with tqdm(unit=" fits", unit_scale=True, delay=0.5, leave=False, disable=off) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


def _interrupted(
    arguments: argparse.Namespace, result: FitResult | None, titles: Sequence[str] | None
) -> None:
    if result is None:
        _say("interrupted before the first fit")
        return
    finished = int(np.count_nonzero(result.status != Status.NOT_RUN))
    where = ""
    if arguments.out:
        tables.write(arguments.out, result, titles)
        where = f"; they are in {arguments.out}"
    _say(f"interrupted: {finished} of {result.status.size} fits had finished{where}")


def _plot(path: Path, result: FitResult, titles: Sequence[str] | None) -> None:
    from . import plot

    plot.overview(result, titles).savefig(path, dpi=150)


# ---- words -----------------------------------------------------------------------------------


def _title(index: Sequence[int], titles: Sequence[str] | None) -> str:
    """What to call a fit."""
    if titles is not None:
        return titles[index[0] if len(index) else 0]
    return f"fit {', '.join(f'{i}' for i in index)}".strip()


def _report(result: FitResult, titles: Sequence[str] | None) -> str:
    """One fit or many in summary, a few fits in a table."""
    if result.chi2.ndim == 0 or result.chi2.size > _TABULATED:
        return result.summary()
    errors = [text for name in result.names for text in (name, "+-")]
    rows = [["", *errors, "chi2", "stopped by"]]
    for index in np.ndindex(result.chi2.shape):
        row = [_title(index, titles)]
        for value, error in zip(result.params[index], result.stderr[index], strict=True):
            row += [f"{value:.9g}", f"{error:.6g}"]
        rows.append(
            [*row, f"{result.chi2[index]:.6g}", Status(int(result.status[index])).name.lower()]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{t:>{w}}" for t, w in zip(row, widths, strict=True)) for row in rows)
    n_good = np.count_nonzero(result.success)
    return "\n".join([*lines, f"{result.chi2.size} fits, {n_good} succeeded"])


def _list_failed(result: FitResult, titles: Sequence[str] | None) -> None:
    failed = np.argwhere(~result.success)
    for index in failed[:_LISTED].tolist():
        _say(f"{_title(index, titles)} failed: {result.reason(*index)}")
    if len(failed) > _LISTED:
        _say(f"{len(failed) - _LISTED} more fits failed")


# ---- thalweg models, thalweg info ------------------------------------------------------------


def _run_models(arguments: argparse.Namespace) -> int:
    if arguments.name is not None:
        print(f"{arguments.name}: {get_model(arguments.name).__doc__}")
        return 0
    width = max(map(len, MODELS)) + 2
    for name, model in MODELS.items():
        print(f"{name:<{width}}{model.formula}")
        print(f"{'':<{width}}parameters {', '.join(model.names)}")
    return 0


def _run_info(_: argparse.Namespace) -> int:
    lines = {
        "thalweg": __version__,
        "instruction set": f"{engine.active_variant()} (available: {', '.join(engine.variants())})",
        "threads": engine.get_num_threads(),
        "NumPy": np.__version__,
        "Python": f"{platform.python_version()}, {platform.platform()}",
    }
    for name, value in lines.items():
        print(f"{name:<17}{value}")
    return 0
