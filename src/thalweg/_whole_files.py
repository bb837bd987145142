"""Files that are written whole or not at all.

A file is written under another name in the folder of its target, hence in the same file system, and
flushed to disk; then it is renamed to the target.  Whatever ends the process at whatever moment,
the target is either the old file or the new one.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

_AT_ONCE = 8  # so many threads wait for the disk; one flush of its journal serves them all


class Output:
    """A file to be written; the temporary file beside its target is opened at once.

    Without ``replaces`` a target that has come to be in the meantime is kept.

    Raises
    ------
    OSError
        The target cannot be written; it is unchanged.

    Attributes
    ----------
    path : Path
        The target, as it was given.
    written : bool
        Whether the target is the new file by now.
    """

    def __init__(self, path: Path, replaces: bool = True) -> None:
        self.path, self.written = path, False
        self._replaces = replaces
        self._renaming = False
        self._target = Path(os.path.realpath(path))  # a symbolic link itself is kept
        mode = _mode(path)
        try:
            handle, name = tempfile.mkstemp(".part", ".thalweg-", self._target.parent)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from None
        self._temporary = name
        self._file = os.fdopen(handle, "w+b")
        os.chmod(name, mode)

    def commit(self, write: Callable[[BinaryIO], None]) -> None:
        """Write the file by ``write(file)`` and rename it to its target.

        Raises
        ------
        OSError
            The file could not be written; the target is unchanged.
        """
        try:
            self._run(lambda: write(self._file))
            self._run(self._flush)
            self._run(self._rename)
        finally:
            self.close()

    def _run(self, step: Callable[[], Any]) -> None:
        """Take a step; an error tells that the file was not written, and why."""
        try:
            step()
        except OSError as error:
            raise OSError(
                error.errno, f"it was not written: {error.strerror or error}", str(self.path)
            ) from None

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _rename(self) -> None:
        self._file.close()
        if not self._replaces and self._target.exists():
            raise FileExistsError(errno.EEXIST, "it has come to exist meanwhile")
        self._renaming = True
        try:
            os.replace(self._temporary, self._target)
        except OSError:
            self._renaming = False
            raise

    def close(self) -> None:
        """Close and remove the temporary file, unless it has become the target."""
        with suppress(OSError):  # the rest of a buffer may find no room; it is not needed any more
            self._file.close()
        try:
            os.unlink(self._temporary)
        except FileNotFoundError:  # it has been renamed, or was closed before
            self.written = self._renaming


def write_files(
    *groups: Mapping[Path, Any], folders: Callable[[Iterable[Path]], Iterable[Path]] = lambda _: ()
) -> None:
    """Write groups of files of these bytes, each whole or not at all, into folders that are made.

    When all are on the disk they are renamed to their targets, in order.  Then, before the files of
    the next group are renamed, ``folders(paths)`` are brought to the disk: those whose entries have
    changed by the files of this one.  So the disk is waited for once for the files of all groups,
    which are flushed at the same time, and once for the folders of each group.

    Raises
    ------
    OSError
        A file could not be written.  The targets are unchanged if that was before the first was
        renamed; else some are the new files.
    """
    written: list[list[Output]] = [[] for _ in groups]
    try:
        for outputs, contents in zip(written, groups, strict=True):
            for path, content in contents.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                outputs.append(Output(path))
                outputs[-1]._run(partial(outputs[-1]._file.write, content))
        at_the_same_time(lambda output: output._run(output._flush), [*chain(*written)])
        for outputs in written:
            for output in outputs:
                output._run(output._rename)
            to_disk(folders(output.path for output in outputs))
    finally:
        for output in chain(*written):
            output.close()


def to_disk(paths: Iterable[Path]) -> None:
    """Wait until files, and the entries of folders, are on the disk."""
    windows = os.name == "nt"  # where a folder cannot be opened
    at_the_same_time(_to_disk, [p for p in paths if not (windows and p.is_dir())])


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def at_the_same_time(function: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call a function that waits for the disk with several items at a time."""
    if len(items) < 2:
        for item in items:
            function(item)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(items))) as pool:
        list(pool.map(function, items))


def _mode(path: Path) -> int:
    """The permissions for the new file: those of the old one, or the usual ones of the process."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return stat.S_IMODE(old.st_mode)
