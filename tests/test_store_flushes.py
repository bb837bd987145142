"""A power cut loses nothing of a result in a store: what is on the disk when a piece is marked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from store_cases import decays, fit

pytest.importorskip("zarr", minversion="3", reason="results in a store need zarr 3")


@pytest.mark.skipif(sys.platform == "win32", reason="folders are flushed where that is possible")
def test_a_piece_is_marked_when_all_of_it_and_of_its_folders_are_on_the_disk(tmp_path, monkeypatch):
    y, path = decays(6), tmp_path / "r.zarr"
    flushed, marked = set(), []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle):
        fsync(handle)
        flushed.add(os.fstat(handle).st_ino)

    def noted_replace(source, target):
        if Path(target).parent.parent.name == "c" and "finished" in Path(target).parts:
            number = Path(target).parent.name
            # The files of a piece bear its number, or are in a folder that does.
            files = [p for p in path.rglob(f"c/{number}*") if "finished" not in p.parts]
            needed = {q for p in files for q in (p, *p.parents) if q.is_relative_to(path)}
            needed |= {q for p in files if p.is_dir() for q in p.iterdir()}
            marked.append(len(needed) > 15 and {q.stat().st_ino for q in needed} <= flushed)
            flushed.discard(Path(target).parent.stat().st_ino)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    fit(y, out=path, chunk=2)
    assert marked == [True] * 3
    marks = [p for p in (path / "finished").rglob("*") if p.name != "zarr.json"]
    assert {p.stat().st_ino for p in marks} <= flushed


def test_neither_zarr_nor_masked_arrays_are_imported_to_write(tmp_path):
    code = f"""
import sys
import thalweg as tw
x = [0.0, 1.0, 2.0, 3.0]
y = [[2.0, 4.0, 6.0, 8.0], [1.0, 2.0, 3.0, 4.0]]
tw.fit("a*x + b", x, y, [1, 1], dtype="float32", out={str(tmp_path / "r.zarr")!r})
print(sorted({{"zarr", "numpy.ma"}} & {{*sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", done.stderr
