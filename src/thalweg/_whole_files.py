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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


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
            write(self._file)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            if not self._replaces and self._target.exists():
                raise FileExistsError(errno.EEXIST, "it has come to exist meanwhile")
            self._renaming = True
            os.replace(self._temporary, self._target)
        except OSError as error:
            self._renaming = False
            raise OSError(
                error.errno, f"it was not written: {error.strerror or error}", str(self.path)
            ) from None
        finally:
            self.close()

    def close(self) -> None:
        """Close and remove the temporary file, unless it has become the target."""
        with suppress(OSError):  # the rest of a buffer may find no room; it is not needed any more
            self._file.close()
        try:
            os.unlink(self._temporary)
        except FileNotFoundError:  # it has been renamed, or was closed before
            self.written = self._renaming


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
