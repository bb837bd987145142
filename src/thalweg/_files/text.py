"""The text of a file: where it comes from, its encoding, and files that are no text."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

# Byte order marks of encodings whose codecs remove them.  UTF-32 comes first, for its mark begins
# with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
# How files begin that are no text, and what to do with them.
_KINDS = {
    b"PK\x03\x04": "a spreadsheet or another archive; save it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of an old kind; save it as CSV",
    b"II*\0": "a TIFF image; let its name end in .tif",
    b"MM\0*": "a TIFF image; let its name end in .tif",
    b"\x89HDF": "an HDF5 file; let its name end in .h5",
    b"\x93NUMPY": "an array of NumPy; let its name end in .npy",
    b"\x89PNG": "a picture, not its numbers",
    b"\xff\xd8\xff": "a picture, not its numbers",
    b"%PDF": "a PDF, not its numbers",
    b"{\\rtf": "a formatted text; save it as plain text",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"MATLAB 5": "a file of MATLAB; save it with -v7.3 and let its name end in .h5",
}
# Characters of control but tabs, line ends and the end mark of DOS; and all bytes but these.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
_NO_CONTROLS = bytes(b for b in range(256) if not _CONTROLS.match(chr(b)))
# How texts begin that are no tables of numbers.
_FORMATS = {
    "a web page or XML": re.compile(r"\s*<(!doctype html|html|table|\?xml)", re.IGNORECASE),
    "Igor text of several blocks of waves, which Igor also saves as delimited text": re.compile(
        r"\s*IGOR\s(?s:.*?)\nEND\b(?s:.*?)\nWAVES\b"
    ),
    "JSON": re.compile(r"\s*(\{\s*[\"}]|\[\s*[\[{\"])"),
    "JCAMP-DX with packed numbers, which other programs unpack": re.compile(
        r"\s*##TITLE=(?s:.*?)##XYDATA=\s*\(X\+\+", re.IGNORECASE
    ),
}


class Text(NamedTuple):
    """A file's text, its name in sentences, its encoding, and how that was found out."""

    name: str
    text: str
    encoding: str
    note: str | None = None


def read_text(source: Any, encoding: str | None = None) -> Text:
    """Return the text of a file, given by its path or as an open file of text or bytes.

    The encoding is that of the byte order mark; else UTF-16 if every other byte is mostly zero,
    else UTF-8, else that of Windows in Western Europe (cp1252).

    Raises
    ------
    ValueError
        The file is no text, or not in the encoding.
    TypeError
        The source is neither a path nor an open file.
    OSError
        The file cannot be read.
    """
    if hasattr(source, "read"):
        given = getattr(source, "name", None)
        name = given if isinstance(given, str) else "the file"
        content = source.read()
    elif isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        if "\n" in name:
            raise ValueError("a path is wanted; give text itself as io.StringIO(text)")
        content = Path(name).read_bytes()
    else:
        raise TypeError(f"a path or an open file is wanted, got {type(source).__name__}")
    if isinstance(content, str):
        return _checked(Text(name, content.removeprefix("\ufeff"), "text"))
    return _checked(_decoded(name, bytes(content), encoding))


def without_footer(text: Text, n: int) -> Text:
    """Return a text without its last n lines that hold something."""
    end = len(text.text)
    for _ in range(n):
        content = text.text[:end].rstrip() if end < len(text.text) else text.text.rstrip()
        end = max(content.rfind("\n"), content.rfind("\r")) + 1
    return text._replace(text=text.text[:end])


def _decoded(name: str, content: bytes, encoding: str | None) -> Text:
    marked = next((e for mark, e in _MARKS.items() if content.startswith(mark)), None)
    for magic, words in _KINDS.items():
        if content.startswith(magic) and marked is None:
            raise ValueError(f"{name} is {words}")
    if encoding is not None:
        try:
            return Text(name, content.decode(encoding).removeprefix("\ufeff"), encoding)
        except (UnicodeError, LookupError) as error:
            raise ValueError(f"{name} cannot be read as {encoding}: {error}") from None
    if marked is not None:
        return Text(name, content.decode(marked, errors="replace"), marked)
    if wide := _without_mark(content):
        note = f"it is read as {wide.upper()}, though its mark is missing"
        return Text(name, content.decode(wide, errors="replace"), wide, note)
    try:
        return Text(name, content.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        note = "it is no UTF-8 and read as cp1252, the encoding of Windows"
        return Text(name, content.decode("cp1252", errors="replace"), "cp1252", note)


def _without_mark(content: bytes) -> str | None:
    """The kind of UTF-16 without its mark: of texts of numbers almost every other byte is zero."""
    if b"\0" not in content:
        return None
    half = len(content) // 2
    even, odd = content[0::2].count(0), content[1::2].count(0)
    if half and odd > 0.9 * half and not even:
        return "utf-16-le"
    if half and even > 0.9 * half and not odd:
        return "utf-16-be"
    return None


def _checked(text: Text) -> Text:
    text = text._replace(text=text.text.rstrip("\x1a"))
    for words, pattern in _FORMATS.items():
        if pattern.match(text.text):
            raise ValueError(f"{text.name} is {words}, not a table of numbers")
    if text.text.encode(errors="replace").translate(None, _NO_CONTROLS):
        control = _CONTROLS.search(text.text)
        assert control is not None
        line = text.text.count("\n", 0, control.start()) + 1
        raise ValueError(
            f"{text.name} is no text: line {line} holds the character {ord(control[0])}, as binary "
            "files do; data come as CSV, .npy, .npz, .tif, .h5 or .zarr"
        )
    return text
