"""Files that are broken or hostile."""

import io
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from file_cases import LINE, X, call, one_sentence, table

# ---- broken files ------------------------------------------------------------------------------


def archive(compressed):
    buffer = io.BytesIO()
    y = np.outer([1, 2, 3.0], X) + 1
    (np.savez_compressed if compressed else np.savez)(buffer, x=X, y=y, sigma=np.ones(12))
    return buffer.getvalue()


def array():
    buffer = io.BytesIO()
    np.save(buffer, np.outer([1, 2, 3.0], X) + 1)
    return buffer.getvalue()


FILES = {
    "a.npy": array(),
    "b.npz": archive(False),
    "c.npz": archive(True),
    "d.csv": table(),
    "e.csv": table().decode().encode("utf-16"),
}


def damaged(content, rng):
    """The content with one or a few things wrong somewhere, more often near its ends."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        size = max(len(data), 1)
        near_end = rng.integers(3)
        at = int(rng.integers(size) if near_end == 0 else rng.integers(min(size, 128)))
        at = size - 1 - at if near_end == 2 else at
        kind = rng.integers(6)
        if kind == 0 and data:
            data[at] = rng.integers(256)
        elif kind == 1 and data:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 40)))
        elif kind == 4:
            del data[at : at + int(rng.integers(1, 40))]
        else:
            data[at : at + 8] = struct.pack("<q", int(rng.choice([-1, 2**31, 2**62, 0])))
    return bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of garbage
def test_a_damaged_file_is_fitted_or_refused_in_one_sentence(name, seed, tmp_path, capsys):
    rng = np.random.default_rng([seed, len(name), *name.encode()])
    path = tmp_path / name
    x = ("--x", ",".join(map(str, X))) if name.endswith("npy") else ()
    refused = 0
    for _ in range(60):
        path.write_bytes(damaged(FILES[name], rng))
        status, _, said = call(capsys, "fit", path, *LINE, *x, "--quiet", "--threads", "1")
        assert status in (0, 1, 2)
        if status == 2:
            refused += 1
            one_sentence(status, said)
    assert refused > 5
    assert [*tmp_path.iterdir()] == [path]


def with_header(header, version=(1, 0), data=b""):
    raw = header.encode()
    size = struct.pack("<H" if version == (1, 0) else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + size + raw + data


def header(shape, descr="'<f8'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def pickled():
    buffer = io.BytesIO()
    np.save(buffer, np.array([os.system], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def bomb():
    """A zip of a few bytes whose directory claims 30 GB."""
    content = bytearray(zipped({"y.npy": with_header(header("(4000000000,)"))}))
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 2**32 - 2)
    return bytes(content)


HOSTILE = {
    "huge.npy": with_header(header("(1000000000000, 25)")),
    "overflow.npy": with_header(header("(4611686018427387904, 4611686018427387904)")),
    "empty_but_endless.npy": with_header(header("(0, 4611686018427387904)")),
    "negative.npy": with_header(header("(-5,)"), data=bytes(40)),
    "header.npy": with_header(header("(" + "(" * 5000 + ")" * 5000 + ")"), (2, 0)),
    "long.npy": with_header(header("(3,)") + " " * 100_000, (2, 0)),
    "beyond.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + header("(3,)").encode(),
    "version.npy": with_header(header("(3,)"), (9, 9)),
    "code.npy": with_header("__import__('os').system('true')\n"),
    "pickle.npy": pickled(),
    "object.npy": with_header(header("(1,)", "'|O'"), data=b"cos\nsystem\n(S'true'\ntR."),
    "nested.npy": with_header(header("(1,)", "[('a', '|O')]"), data=bytes(64)),
    "record.npy": with_header(header("(2,)", "[('a', '<f8')]"), data=bytes(16)),
    "complex.npy": with_header(header("(2,)", "'<c16'"), data=bytes(32)),
    "dates.npy": with_header(header("(2,)", "'<M8[s]'"), data=bytes(16)),
    "words.npy": with_header(header("(2,)", "'<U2'"), data="abcd".encode("utf-32-le")),
    "void.npy": with_header(header("(2,)", "'|V0'")),
    "nothing.npy": b"",
    "text.npy": b"1,2,3\n",
    "huge.npz": zipped({"y.npy": with_header(header("(1000000000000, 25)"))}),
    "bomb.npz": bomb(),
    "pickle.npz": zipped({"y.npy": pickled()}),
    "text.npz": zipped({"y": b"hello", "x.npy": b"1,2"}),
    "other.npz": zipped({"../../y.npy": array()}),
    "plain.npz": b"x,y\n1,2\n",
    "cut.npz": archive(True)[:-30],
    "none.npz": zipped({}),
    "lzma.npz": zipped({"y.npy": array()}, zipfile.ZIP_LZMA)[:-200],
    "cell.csv": b"x,y\n0,1\n1," + b"9" * 200_000 + b"\n",
    "quote.csv": b'x,y\n0,"' + b"1\n" * 100_000,
    "nul.csv": b"x,y\n0,1\n1,\0\n",
    "sheet.csv": zipped({"xl/sheet1.xml": b"<xml/>"}),
    "image.csv": b"II*\0\x08\0\0\0" + bytes(100),
    "cells.csv": b"x,y\n" + b"," * 100_000 + b"\n",
    "words.csv": b"x,y\n" + b"lorem ipsum,dolor\n" * 5,
    "long.csv": b"x,y\n0," + b"word " * 20_000 + b"\n1,2\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_sentence(name, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    x = ("--x", "1,2,3") if name.endswith("npy") else ()
    status, printed, said = call(capsys, "fit", path, *LINE, *x)
    one_sentence(status, said)
    assert not printed


@pytest.mark.parametrize(
    "formula",
    [
        " and ".join(["a"] * 3000) + " and x",
        " or ".join(["a"] * 3000) + " or x",
        "<".join(["a"] * 3000) + "<x",
        "(" * 300 + "x" + ")" * 300,
        "-" * 5000 + "x",
        "a+" * 5000 + "x +",
        "a*x**" + "9" * 10_000,
        "not " * 5000 + "x",
        "max(" * 400 + "x" + ",a)" * 400,
        "a if x else " * 2000 + "x",
        "__import__('os').system('true')*x",
        "a*\udcff*x",
        "a*x\n*b\r*\t2",
        "lambda: x",
        "y = a*x",
        "2a + x",
        "np.exp(x)*a",
    ],
)
@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_a_hostile_formula_is_fitted_or_one_sentence(formula, tmp_path, capsys):
    path = tmp_path / "d.csv"
    path.write_bytes(table())
    status, _, said = call(capsys, "fit", path, f"--model={formula}", "--p0", "a=1", "--quiet")
    assert status in (0, 1) or one_sentence(status, said) is None


def test_an_unknown_instruction_set_is_one_sentence(tmp_path):
    (tmp_path / "d.csv").write_bytes(table())
    environment = {**os.environ, "THALWEG_SIMD": "nonsense"}
    for command in (["fit", "d.csv", *LINE], ["info"]):
        run = subprocess.run(
            [sys.executable, "-m", "thalweg", *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        one_sentence(run.returncode, run.stderr)
        assert "THALWEG_SIMD: instruction set 'nonsense' is not available here" in run.stderr
    code = "import thalweg as tw; tw.fit('a*x', [1.0, 2], [1.0, 2], [1.0])"
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert run.stderr.splitlines()[-1].startswith("ValueError: THALWEG_SIMD: instruction set")
