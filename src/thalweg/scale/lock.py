"""One process at a time writes a store: a lock file beside it, which the system gives back.

The lock is held on the open file, so that it ends with the process, however that ends.  A file that
was left behind is taken over.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a store while its body runs.

    Raises
    ------
    ValueError
        Another process writes the store.
    OSError
        The folder cannot be written.
    """
    file_path = path.with_name(path.name + ".lock")
    file = _opened(file_path, path)
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}".encode())
        file.flush()
        yield
    finally:
        if os.name == "nt":  # an open file cannot be removed there
            file.close()
        with suppress(OSError):
            os.unlink(file_path)
        file.close()


def _opened(file_path: Path, path: Path) -> BinaryIO:
    """The lock file, open and locked."""
    while True:
        try:
            file = os.fdopen(os.open(file_path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            words = f"it cannot be written: {error.strerror}"
            raise OSError(error.errno, words, str(path)) from None
        try:
            if not _try_lock(file):
                owner = file.read().decode(errors="replace") or "another process"
                raise ValueError(f"{path} is being written by {owner}; wait until that has ended")
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(file_path)):
                    return file  # else its owner has removed it since it was opened
        except BaseException:
            file.close()
            raise
        file.close()


def _try_lock(file: BinaryIO) -> bool:
    """Lock an open file, if no other process has."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _try_lock_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_on_windows(file: BinaryIO) -> bool:
    import msvcrt

    file.seek(1 << 30)  # a byte beyond the text, which others may read
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    finally:
        file.seek(0)
    return True
