"""Fits of data larger than memory: small spots from a mapped file into a store.

The rate is compared with that of the same fit in memory, in processes of their own that take turns,
for each tells how much memory it needed at most.  Data and results lie in a temporary folder, which
TMPDIR chooses: 164 bytes for each fit.  ``THALWEG_STORE_FITS`` is the number of fits, 10 million if
it is not given.  ``THALWEG_STORE_ONCE=1e8`` runs that many fits once, which needs 17 GB of disk.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spots import spots

pytest.importorskip("zarr", minversion="3")

FITS = int(float(os.environ.get("THALWEG_STORE_FITS", "1e7")))
FEW = 100_000  # fits that are compared with the fit in memory of the same data
ROUNDS = 3
ONCE = int(float(os.environ.get("THALWEG_STORE_ONCE", "0")))
AT_ONCE = 100_000  # images that are written at a time

CODE = f"""
import json, resource, shutil, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import thalweg as tw
import thalweg.scale  # it is not imported by a fit in memory; imports are no cost of a fit
from spots import TOLERANCES

path, out, fits, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
xy = tuple(v.astype(np.float32) for v in np.mgrid[:5, :5][::-1])
options = {{**TOLERANCES, "dtype": np.float32, "threads": threads}}
y = np.load(path, mmap_mode="r")[:fits]
if out == "memory":
    y = np.array(y)
else:
    options["out"] = out
start, worked = time.perf_counter(), time.process_time()
r = tw.fit(tw.models.gaussian2d, xy, y, [550, 2.2, 1.8, 1.1, 9], **options)
seconds, worked = time.perf_counter() - start, time.process_time() - worked
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
good = int(np.count_nonzero(r.success))
told = {{"seconds": seconds, "worked": worked, "bytes": memory, "good": good}}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write the images of all tests but the one that runs once; returns their file."""
    yield from images(tmp_path_factory.mktemp("store"), FITS)


def images(folder, fits):
    """Write images (fits, 5, 5) of float32, in pieces; yields their file and removes it."""
    need = fits * 164 * 1.2
    if shutil.disk_usage(folder).free < need:
        pytest.skip(f"{folder} has no room for {need / 1e9:.3g} GB")
    header = {"descr": "<f4", "fortran_order": False, "shape": (fits, 5, 5)}
    some = spots(5, AT_ONCE).y.astype(np.float32)
    with (folder / "y.npy").open("wb") as file:  # not mapped, as that would count as memory
        np.lib.format.write_array_header_1_0(file, header)
        for begin in range(0, fits, AT_ONCE):
            rows = some[: fits - begin].copy()
            rows[:, 0, 0] += np.float32(begin % 1009 / 1009)  # so that no two are the same
            rows.tofile(file)
    yield folder / "y.npy"
    shutil.rmtree(folder)


def run(data, out, fits, threads):
    """Fit in a process of its own; ``out`` is "memory" or the folder of a store."""
    if out != "memory":
        shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", CODE, str(data), str(out), str(fits), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["good"] > 0.999 * fits
    return told


@pytest.mark.parametrize("threads", [1, 2])
def test_rate_and_memory(data, threads, record):
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip("fewer processors than threads")
    out = data.with_name("r.zarr")
    pairs = [
        (run(data, "memory", FITS, threads), run(data, out, FITS, threads)) for _ in range(ROUNDS)
    ]
    ratios = [memory["seconds"] / stored["seconds"] for memory, stored in pairs]
    name = (
        f"{FITS:.0e} spots of 5x5 from a file into a store, {threads} thread{'s' * (threads > 1)}"
    )
    record(f"{name}, rate over that in memory", float(np.median(ratios)), "times", at_least=0.85)
    best = min(stored["seconds"] for _, stored in pairs)
    record(f"{name}, rate", FITS / best, "fits/s")
    most = max(stored["bytes"] for _, stored in pairs)
    record(f"{name}, memory", most / 1e9, "GB", at_most=1.0)
    record(f"{name}, memory of the fit in memory", pairs[0][0]["bytes"] / 1e9, "GB")


def test_bits(data):
    import thalweg as tw

    run(data, data.with_name("r.zarr"), FEW, 2)
    stored = tw.scale.open_result(data.with_name("r.zarr"))
    xy = tuple(v.astype(np.float32) for v in np.mgrid[:5, :5][::-1])
    y = np.array(np.load(data, mmap_mode="r")[:FEW])
    start, tolerances = [550, 2.2, 1.8, 1.1, 9], {"xtol": 1e-4, "ftol": 1e-4, "gtol": 1e-4}
    r = tw.fit(tw.models.gaussian2d, xy, y, start, dtype=np.float32, **tolerances)
    assert np.array_equal(stored.params[...], r.params, equal_nan=True)
    assert np.array_equal(stored.stderr[...], r.stderr, equal_nan=True)


def test_cost_per_fit_is_flat(data, record):
    out, costs = data.with_name("r.zarr"), {}
    for fits in (10_000, 100_000, 1_000_000, FITS):
        times = [run(data, out, fits, 1)["seconds"] for _ in range(ROUNDS)]
        costs[fits] = min(times) / fits
    for fits, cost in costs.items():
        record(f"a fit of {fits:.0e} spots into a store, 1 thread", 1e6 * cost, "us")
    least = min(costs.values())
    record("dearest over cheapest of these", max(costs.values()) / least, "times")


@pytest.mark.skipif(not ONCE, reason="THALWEG_STORE_ONCE is not given")
def test_once(tmp_path_factory, record):
    """So many fits that memory could not hold them, beside a part of them in memory."""
    threads = min(2, len(os.sched_getaffinity(0)))
    few = min(ONCE, 10_000_000)
    for data in images(tmp_path_factory.mktemp("once"), ONCE):
        before = run(data, "memory", few, threads)
        stored = run(data, data.with_name("r.zarr"), ONCE, threads)
        after = run(data, "memory", few, threads)
    name = f"{ONCE:.0e} spots of 5x5 from a file into a store, once, {threads} threads"
    cost = {key: stored[key] / ONCE for key in ("seconds", "worked")}
    known = {key: (before[key] + after[key]) / 2 / few for key in cost}
    record(f"{name}, rate", 1 / cost["seconds"], "fits/s")
    record(
        f"{name}, rate over that of {few:.0e} in memory",
        known["seconds"] / cost["seconds"],
        "times",
        at_least=0.85,
    )
    record(
        f"{name}, processor time over that of {few:.0e} in memory",
        cost["worked"] / known["worked"],
        "times",
    )
    record(f"{name}, memory", stored["bytes"] / 1e9, "GB", at_most=1.0)
