"""The command ``thalweg``: fit the data of a file, list the built-in models, tell what runs here.

The exit status is 0 if every fit succeeded, 1 if one failed, and 2 if the input is wrong or an
output could not be written, which one sentence says.  It is 130 after Ctrl-C, and 128 + the number
of the signal after SIGTERM and SIGHUP; finished fits are still written then.  A file is written
whole or not at all, whatever ends the process.
"""

# PYTHON_ARGCOMPLETE_OK: by these words the shell sees that the command completes words.

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .. import __version__
from .._files.dates import ORDERS
from ..fitting.noise import NOISES, ROBUST
from ..machine import info
from ..model.library import get_model
from ..model.registry import MODELS
from . import completion
from .fit_command import run_fit
from .report import say, sentence
from .stopping import Stop, stoppable

_BAD_INPUT = 2

_FIT_HELP = """\
DATA is one of
  a text file columns separated by commas, semicolons, tabs, bars or blanks, with or without names
              above them.  The first column is x, every other column of numbers a data set that is
              fitted by itself; a column of errors is taken as sigma.  Decimal commas, separators
              of thousands, units, a preamble, comments, dates and the encoding are found out, and
              what was read is told.
  -           such a text, or the content of a .npy or .npz file, from the standard input.
  x.npy       an array (..., N): data sets of N points, such as an image stack (ny, nx, N).
              --x gives the N abscissae, --axis another axis than the last.
  x.npz       arrays x, y and, if wanted, sigma, mask and p0; .h5, .hdf5, .zarr and .nc likewise, if
              h5py, zarr or xarray is installed.  --x, --y, --sigma and --mask name others.
  x.tif       a stack of images, one page for each point, if tifffile is installed.

For a model of two variables, x and y are the first two columns, an array (2, ...) or, by default,
the numbers of an image's columns and rows.  A value that begins with a minus sign needs "=", as in
--model="-a*x".

examples:
  thalweg fit decay.csv --model "a*exp(-t/tau) + c" --independent t --p0 a=1,tau=5,c=0
  thalweg fit peaks.csv --model gaussian --sigma error --absolute-sigma --out peaks-fit.csv
  thalweg fit long.csv --group sample --x time --y signal --model exponential --out long-fit.csv
  thalweg fit echoes.npy --x 10,25,50,90 --model spin_echo --out t2.npz --plot t2.png --map T2
  thalweg fit large.h5 --y scan/signal --x scan/time --model exponential --out large.zarr --resume

With --out x.zarr the data may be larger than memory: they are read, fitted and written in pieces.
"""

# Exceptions that bad input causes; any other is a fault of Thalweg and shows where it happened.
_INPUT_ERRORS = (
    OSError,
    MemoryError,
    RecursionError,
    ValueError,
    TypeError,
    ModuleNotFoundError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the given arguments; return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # letters that the terminal lacks must not be errors
            stream.reconfigure(errors="backslashreplace")
    with stoppable() as stop:
        try:
            parser = _parser()
            if completion.is_asked():
                completion.complete(parser)
            arguments = parser.parse_args(argv)
            status: int = arguments.run(arguments, stop)
            if sys.stdout:
                sys.stdout.flush()
            return status
        except KeyboardInterrupt:
            say("interrupted")
            return stop.status
        except BrokenPipeError:  # the reader has gone
            _drop_what_is_unwritten()
            return 1
        except _INPUT_ERRORS as error:
            say(sentence(error))
            _drop_what_is_unwritten()
            return _BAD_INPUT


def _drop_what_is_unwritten() -> None:
    """Let the last flush of the interpreter not fail, which would change the exit status to 120."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    models = commands.add_parser("models", help="list the built-in models, or describe one")
    name: Any = models.add_argument("name", nargs="?", metavar="NAME", help="the model to describe")
    name.completer = completion.models
    models.set_defaults(run=_run_models)
    info = commands.add_parser("info", help="what a report of a fault should tell")
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
    parser.add_argument("data", type=Path, metavar="DATA", help="a file, or -; see below")
    add = parser.add_argument
    model = add("--model", required=True, metavar="MODEL", help="a formula or a built-in model")
    model.completer = completion.models
    add("--p0", type=_values, metavar="a=1,tau=5", help="start; built-in models guess it")
    add("--independent", metavar="t", help="independent variable of a formula; x, or x,y")
    for option, form, words in (
        ("--x", "COL", "column of x, by name or number; for arrays .npy or numbers"),
        ("--y", "COL,...", "columns to fit; of a file of arrays the name of one"),
        ("--sigma", "COL", "column of standard deviations, or none; for arrays as --x"),
        ("--mask", "COL", "column or array that is true where a point is left out"),
        ("--group", "COL,...", "columns of a long table whose values tell data sets apart"),
    ):
        part = add(option, metavar=form, help=words)
        part.completer = completion.columns
    add("--axis", type=_axes, metavar="N", help="axis of an array along which the points lie")
    add("--absolute-sigma", action="store_true", help="sigma has the unit of y, not weights alone")
    add("--bounds", type=_bounds, metavar="tau=0:100", help="bounds; either side may be empty")
    add("--fixed", type=_fixed, metavar="c=0,d", help="parameters to hold, with value or at p0")
    add("--tied", type=_ties, metavar="s2=s1,a2=2*a1", help="parameters that follow from others")
    add("--shared", metavar="tau", help="parameters of which all data sets have one value")
    add("--linear", choices=["auto"], help="auto: what the model is linear in needs no start")
    _add_noise(add)
    _add_format(add)
    add("--mask-below", type=float, metavar="VALUE", help="leave out points with y below this")
    add("--max-iter", type=int, metavar="N", help="the most trial steps of a fit")
    add("--starts", type=int, metavar="N", help="starts of every fit, of which the best is kept")
    add("--retry", type=int, metavar="N", help="the most further starts of a fit that fails")
    for name in ("xtol", "ftol", "gtol"):
        add(f"--{name}", type=float, metavar="TOL", help="tolerance; see thalweg.fit")
    add("--threads", type=int, metavar="N", help="the most threads")
    add("--float32", action="store_true", help="calculate in float32")
    _add_outputs(add)
    add("--quiet", action="store_true", help="no summary and no progress bar")
    parser.set_defaults(run=run_fit)


def _add_outputs(add: Callable[..., Any]) -> None:
    """The options that say what is written."""
    add("--out", type=Path, metavar="FILE", help="results, as .csv, .npz or .zarr")
    add("--force", action="store_true", help="let --out and --plot overwrite a file")
    add("--resume", action="store_true", help="go on with an --out x.zarr that was begun")
    add("--chunk", type=_whole, metavar="N", help="data sets fitted at a time into an x.zarr")
    add("--plot", type=Path, metavar="FILE", help="picture, as .png, .svg or .pdf")
    add("--map", metavar="tau", help="what --plot draws over the batch: a parameter, chi2, ...")


def _add_noise(add: Callable[..., Any]) -> None:
    """The options that say what the errors of y are like."""
    add("--noise", choices=NOISES, default="normal", help="poisson: y are counts")
    add("--robust", choices=ROBUST, help="a loss that outliers do not carry away")
    add("--f-scale", type=_scale, metavar="S", help="residual of an outlier, or estimate")


def _scale(text: str) -> float | str:
    """A number, or the word "estimate"."""
    return text if text == "estimate" else float(text)


def _add_format(add: Any) -> None:
    """Add the options that say how a text file is written; see `thalweg.read_table`."""
    add(
        "--separator", type=_character, metavar="SIGN", help="what separates columns; or tab, blank"
    )
    add("--decimal", choices=[".", ","], help="decimal sign; default: found out")
    add("--thousands", choices=[",", ".", "'", " "], help="what separates groups of three digits")
    add("--dates", choices=ORDERS, help="day or month first; hours and minutes, or minutes first")
    either = argparse.BooleanOptionalAction
    add("--transpose", action=either, help="data stand in rows, or in columns")
    add("--comment", metavar="SIGN", help="what begins a comment, instead of #, %%, // and ;")
    add("--encoding", metavar="NAME", help="encoding of a text file, such as latin-1")
    add("--skip-rows", type=_whole, default=0, metavar="N", help="first lines to leave out")
    add("--skip-footer", type=_whole, default=0, metavar="N", help="last lines to leave out")
    add(
        "--missing", metavar="TEXT,...", help="cells that hold no value, beside empty, nan, NA, ..."
    )


def _character(text: str) -> str:
    sign = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}.get(text, text)
    if len(sign) != 1:
        raise argparse.ArgumentTypeError(f"one character is needed, got {text!r}")
    return sign


def _axes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(axis) for axis in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"a whole number is needed, got {text!r}") from None


def _items(text: str) -> list[str]:
    """The parts of a text between its commas; commas within parentheses do not part."""
    depth, items = 0, [""]
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            items.append("")
        else:
            items[-1] += sign
    return items


def _pairs(text: str, what: str = "value") -> list[tuple[str, str | None]]:
    """``"a=1,b"`` as ``[("a", "1"), ("b", None)]``; ``what`` is told to follow the sign."""
    pairs = [item.strip().partition("=") for item in _items(text)]
    if not all(name.strip().isidentifier() for name, _, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name={what},...")
    return [(name.strip(), value.strip() if sign else None) for name, sign, value in pairs]


def _one_number(text: str | None, name: str, default: float | None = None) -> float:
    if not text and default is not None:
        return default
    try:
        return float(text or "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name} needs a number, got {text or ''!r}") from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number is needed, got {text!r}")
    return int(text)


def _values(text: str) -> dict[str, float]:
    return {name: _one_number(value, name) for name, value in _pairs(text)}


def _fixed(text: str) -> dict[str, float | None]:
    return {
        name: None if value is None else _one_number(value, name) for name, value in _pairs(text)
    }


def _ties(text: str) -> dict[str, str]:
    """``"s2=s1,a2=max(a, b)"`` by name."""
    pairs = _pairs(text, "formula")
    if not all(value for _, value in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=formula,...")
    return {name: value or "" for name, value in pairs}


def _bounds(text: str) -> dict[str, tuple[float, float]]:
    found = {}
    for name, value in _pairs(text):
        low, colon, high = (value or "").partition(":")
        if not colon:
            raise argparse.ArgumentTypeError(f"{name} needs bounds low:high, got {value or ''!r}")
        found[name] = _one_number(low, name, -np.inf), _one_number(high, name, np.inf)
    return found


# ---- thalweg models, thalweg info ------------------------------------------------------------


def _run_models(arguments: argparse.Namespace, _: Stop) -> int:
    if arguments.name is not None:
        print(f"{arguments.name}: {get_model(arguments.name).__doc__}")
        return 0
    width = max(map(len, MODELS)) + 2
    for name, model in MODELS.items():
        print(f"{name:<{width}}{model.formula}")
        print(f"{'':<{width}}parameters {', '.join(model.names)}")
    return 0


def _run_info(_: argparse.Namespace, __: Stop) -> int:
    print(info())
    return 0
