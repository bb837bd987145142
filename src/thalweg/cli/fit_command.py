"""``thalweg fit``: from a file of data to a report, a file of results and a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._files.rows import Format
from .._files.table import check_form
from .._optional import optional
from .._whole_files import Output
from ..fitting.fit import fit
from ..fitting.result import FitResult
from ..model import ModelInfo, as_model
from ..status import Status
from . import stores, tables
from .outputs import write_result
from .report import as_options, failures, report, say, say_all, sentence
from .stopping import Stop


class _Work:
    """What ``thalweg fit`` has done so far, for the last line after an interruption."""

    def __init__(self) -> None:
        self.outputs: dict[str, Output] = {}
        self.finished = self.total = 0
        self.store: Path | None = None

    def told(self) -> str:
        """Return that line: how many fits had finished, and which files hold them."""
        words = "interrupted before the first fit"
        if self.finished:
            words = f"interrupted: {self.finished} of {self.total} fits had finished"
        if self.store is not None and self.finished:
            words += f"; they are in {self.store}, and the same command with --resume goes on"
        for option, output in self.outputs.items():
            written = f"they are in {output.path}" if option == "--out" else f"see {output.path}"
            words += f"; {written if output.written else f'{output.path} was not written'}"
        return words


def run_fit(arguments: argparse.Namespace, stop: Stop) -> int:
    """Run ``thalweg fit`` with its parsed arguments; return its exit status."""
    _check_outputs(arguments)
    work = _Work()
    try:
        _open_outputs(arguments, work.outputs)
        return _fit_and_deliver(arguments, work)
    except BaseException as error:
        stop.held = True  # so that another signal does not cut off the last lines
        if stop.number is None and not isinstance(error, KeyboardInterrupt):
            if work.store is not None and work.finished:
                say(work.told())
            raise
        if isinstance(error, OSError):
            say(sentence(error))
        for output in work.outputs.values():
            output.close()
        say(work.told())
        return stop.status
    finally:
        stop.held = True
        for output in work.outputs.values():
            output.close()


def _fit_and_deliver(arguments: argparse.Namespace, work: _Work) -> int:
    model = _model(arguments)
    work.store = arguments.out if stores.is_store(arguments.out) else None
    data = _read(arguments, model.n_x or 1)
    p0 = data.p0 if arguments.p0 is None else arguments.p0
    fixed = _hold(arguments.fixed, p0)
    _require_start(model, p0, {*(fixed or ()), *(arguments.tied or ())})
    if arguments.map is not None and model.names is not None:
        _refuse_unknown_map(arguments.map, model.names)
    result: FitResult | None = None
    try:
        with _progress(arguments.quiet) as progress:
            result = _fit(arguments, data, p0, fixed, progress)
    except BaseException as interruption:
        some: Any = result or getattr(interruption, "result", None)
        if work.store is not None:
            work.finished, work.total = (some.n_finished, some.size) if some else (0, 0)
        elif some is not None and _count_finished(work, some):
            _deliver(arguments, work.outputs, some, data.titles, only_finished=True)
        raise
    if work.store is not None:
        return _deliver_store(arguments, work.outputs, result)
    _count_finished(work, result)
    _deliver(arguments, work.outputs, result, data.titles)
    return 0 if result.success.all() else 1


def _read(arguments: argparse.Namespace, n_x: int) -> tables.DataSets:
    """Read the data, and tell what was read and what was decided without being asked."""
    form = Format(
        arguments.separator,
        arguments.decimal,
        arguments.thousands,
        arguments.comment,
        arguments.skip_rows,
        arguments.skip_footer,
        _words(arguments.missing),
        arguments.encoding,
        arguments.dates,
        arguments.transpose,
    )
    picked = {
        name: getattr(arguments, name) for name in ("x", "y", "sigma", "mask", "axis", "group")
    }
    check_form(form)
    whole = not stores.is_store(arguments.out)
    data = tables.read(arguments.data, tables.Choice(n_x, **picked), form, whole)
    if not arguments.quiet:
        say(data.told)
    say_all(map(as_options, data.notes))
    return data


def _words(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(word.strip() for word in text.split(","))


def _count_finished(work: _Work, result: FitResult) -> int:
    work.total = result.status.size
    work.finished = int(np.count_nonzero(result.status != Status.NOT_RUN))
    return work.finished


def _deliver(
    arguments: argparse.Namespace,
    outputs: dict[str, Output],
    result: FitResult,
    titles: Sequence[str] | None,
    *,
    only_finished: bool = False,
) -> None:
    """Print, write and draw a result; if one of these fails the others are done, then it raises."""
    steps: list[Callable[[], Any]] = []
    if not arguments.quiet:
        steps.append(lambda: print(report(result, titles), flush=True))
    if out := outputs.get("--out"):
        suffix = arguments.out.suffix
        steps.append(lambda: out.commit(lambda file: write_result(file, suffix, result, titles)))
    if not only_finished:
        if picture := outputs.get("--plot"):
            steps.append(
                lambda: picture.commit(lambda file: _plot(file, arguments, result, titles))
            )
        steps.append(lambda: say_all(failures(result, titles)))
    _do_all(steps)


def _deliver_store(arguments: argparse.Namespace, outputs: dict[str, Output], result: Any) -> int:
    """Print and draw a result that is in a store; return the exit status."""
    failed = result.failed()
    steps: list[Callable[[], Any]] = []
    if not arguments.quiet:
        steps.append(lambda: print(result.summary(), flush=True))
    if picture := outputs.get("--plot"):
        steps.append(lambda: picture.commit(lambda file: _plot(file, arguments, result, None)))
    steps.append(lambda: say_all(stores.failures(result, failed)))
    _do_all(steps)
    return 1 if len(failed) else 0


def _do_all(steps: Sequence[Callable[[], Any]]) -> None:
    """Do all steps, whatever fails; then raise the first error and tell the others."""
    errors = []
    for step in steps:
        try:
            step()
        except Exception as error:
            errors.append(error)
    errors.sort(key=lambda error: isinstance(error, BrokenPipeError))  # these matter least
    say_all(map(sentence, errors[1:]))
    if errors:
        raise errors[0]


def _fit(
    arguments: argparse.Namespace,
    data: tables.DataSets,
    p0: Any,
    fixed: Any,
    progress: Callable[[int, int], Any],
) -> FitResult:
    mask = data.mask
    if arguments.mask_below is not None:
        mask = stores.below(data.y, arguments.mask_below, mask)
    return fit(
        arguments.model,
        data.x,
        data.y,
        p0,
        sigma=data.sigma,
        absolute_sigma=arguments.absolute_sigma,
        mask=mask,
        axis=data.axis,
        offsets=data.offsets,
        bounds=arguments.bounds,
        fixed=fixed,
        tied=arguments.tied,
        shared=None if arguments.shared is None else list(_words(arguments.shared)),
        linear=arguments.linear,
        noise=arguments.noise,
        robust=arguments.robust,
        f_scale=arguments.f_scale,
        independent=_independent(arguments),
        dtype=np.float32 if arguments.float32 else None,
        xtol=arguments.xtol,
        ftol=arguments.ftol,
        gtol=arguments.gtol,
        max_iter=arguments.max_iter,
        starts=arguments.starts,
        retry=arguments.retry,
        threads=arguments.threads,
        callback=progress,
        out=stores.out_of(arguments),
        chunk=arguments.chunk,
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
    """The argument ``fixed`` of `fit`: values by name, or names if none has a value."""
    if fixed is None or all(value is not None for value in fixed.values()):
        return fixed
    if all(value is None for value in fixed.values()):
        return list(fixed)
    given = p0 if isinstance(p0, dict) else {}
    for name, value in fixed.items():
        if value is None and name not in given:
            raise ValueError(f"--fixed {name} needs a value, here or in --p0")
    return {name: given.get(name) if value is None else value for name, value in fixed.items()}


def _require_start(model: ModelInfo, p0: Any, known: Collection[str]) -> None:
    """Refuse a fit that has no start; parameters that are fixed or tied are ``known``."""
    needed = [name for name in model.names or () if name not in known]
    if p0 is None and model.guess is None and needed:
        example = ",".join(f"{name}=1" for name in needed)
        raise ValueError(
            f"--p0 is needed, a start for every parameter of a formula: --p0 {example}"
        )


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse, before anything is computed, outputs of a wrong kind or that overwrite an input."""
    suffixes = {"--out": (".csv", ".npz", stores.SUFFIX), "--plot": (".png", ".svg", ".pdf")}
    inputs = [arguments.data, *(Path(text) for text in (arguments.x, arguments.sigma) if text)]
    for option, path in _output_paths(arguments).items():
        if path.suffix not in suffixes[option]:
            raise ValueError(f"{option} must end in {' or '.join(suffixes[option])}, got {path}")
        if not path.parent.is_dir():
            raise ValueError(f"{option}: there is no folder {path.parent}")
        if path.exists() and any(file.exists() and path.samefile(file) for file in inputs):
            raise ValueError(f"{option} {path} would overwrite the input")
        if path.is_file() and not arguments.force:
            raise ValueError(f"{option} {path} exists; --force overwrites it")
    stores.check(arguments)
    if arguments.plot:
        optional("matplotlib", "--plot needs").use("Agg")


def _output_paths(arguments: argparse.Namespace) -> dict[str, Path]:
    paths = {"--out": arguments.out, "--plot": arguments.plot}
    return {option: path for option, path in paths.items() if path is not None}


def _open_outputs(arguments: argparse.Namespace, outputs: dict[str, Output]) -> None:
    """Open the outputs before anything is computed, so that unwritable ones are refused at once."""
    for option, path in _output_paths(arguments).items():
        if stores.is_store(path):
            continue
        try:
            outputs[option] = Output(path, arguments.force)
        except OSError as error:
            raise ValueError(f"{option} cannot be written: {sentence(error)}") from None


@contextmanager
def _progress(quiet: bool) -> Any:
    """A progress bar for work of more than half a second, if the error output is a terminal."""
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


def _refuse_unknown_map(name: str, names: Sequence[str]) -> None:
    from ..plot.maps import refuse_unknown_map

    refuse_unknown_map(name, names)


def _plot(
    file: BinaryIO, arguments: argparse.Namespace, result: FitResult, titles: Sequence[str] | None
) -> None:
    from .. import plot

    how = {"format": arguments.plot.suffix[1:], "dpi": 150}
    if arguments.map is None:
        plot.overview(result, titles).savefig(file, **how)
    else:  # the bar of a map lies beside its axes
        plot.map(result, arguments.map).figure.savefig(file, bbox_inches="tight", **how)
