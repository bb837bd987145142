"""Edits of results in a store: what is read, marked, compared and locked; the tests that notice."""

_ALL = "test_store.py test_store_safety.py test_store_refit.py"

EDITS = {
    ("src/thalweg/scale/zarr_store.py", _ALL): [
        (
            "store: status not last",
            'sorted(arrays, key=lambda name: name == "status")',
            'sorted(arrays, key=lambda name: name != "status")',
        ),
        (
            "store: old chunks stay",
            "file.unlink(missing_ok=True)\n        else:",
            "pass\n        else:",
        ),
        ("store: ends not filled up", "if values.shape != chunk:", "if False:"),
        ("store: leftovers stay", 'self.path.rglob(".thalweg-*.part")', "()"),
        ("store: later formats taken", "if version > FORMAT:", "if False:"),
        ("store: missing arrays unseen", "if shape != (*store.grid.batch, *own):", "if False:"),
    ],
    ("src/thalweg/scale/storing.py", _ALL): [
        (
            "storing: all pieces again",
            "if not done[place]]\n        return _fit_pieces",
            "]\n        return _fit_pieces",
        ),
        ("storing: another call goes on", "if not changed:\n", "if True:\n        changed = []\n"),
        (
            "storing: other data go on",
            "        changed = _changed_data(call, store)\n",
            "        pass\n",
        ),
        ("storing: pieces half done", "if not result.status.all():", "if False:"),
        ("storing: numbers of points in 8 bytes", '.replace("i8", "i4")', ""),
        (
            "storing: warned for each piece",
            'warnings.simplefilter("ignore", SlowModelWarning)',
            "pass",
        ),
    ],
    ("src/thalweg/scale/fingerprint.py", _ALL): [
        (
            "fingerprint: closures unseen",
            'return f"expression {own[:_LETTERS]}"',
            'return "expression"',
        ),
        ("fingerprint: code unseen", "of {_function(problem.model.function)}", ""),
        ("fingerprint: threads count", '("threads", "axis")', '("axis",)'),
        ("fingerprint: 0 is a digest", 'int.from_bytes(hashed(*rows)[:8], "little") or 1', "0"),
    ],
    ("src/thalweg/scale/sources.py", _ALL): [
        (
            "sources: x is a batch",
            "np.asarray(part).transpose(self.order)[None]",
            "np.asarray(part).transpose(self.order)",
        ),
        (
            "sources: pixels whole",
            "if k in of_batch and shape[k] == y_shape[k] else None",
            "if k in of_batch else None",
        ),
    ],
    ("src/thalweg/scale/grid.py", "test_store.py"): [
        (
            "grid: chunks not kept together",
            "_grown(unit, batch, max(fits, prod(unit)))",
            "_grown((1,) * len(batch), batch, fits)",
        ),
        ("grid: chunks read again and again", "if again > _READ_AGAIN:", "if False:"),
    ],
    ("src/thalweg/scale/lock.py", "test_store_safety.py"): [
        ("lock: none", "if not _try_lock(file):", "if False:"),
        ("lock: stays", "os.unlink(file_path)", "pass"),
    ],
    ("src/thalweg/scale/refit.py", "test_store_refit.py"): [
        ("refit: all of a piece", "np.flatnonzero(status <= 0)", "np.arange(status.size)"),
        ("refit: worse results", '(new["status"] > 0) | lower', '(new["status"] > -99) | lower'),
        ("refit: other data", "if digest != int(marks[0]):", "if False:"),
    ],
    ("src/thalweg/scale/stored_result.py", "test_store.py"): [
        (
            "stored: places of a piece",
            "np.argwhere(status <= 0) + [s.start for s in region]",
            "np.argwhere(status <= 0)",
        ),
        ("stored: errors of all", "errors[..., free], len(free)", "errors, len(free)"),
    ],
    ("src/thalweg/scale/partial_result.py", "test_store.py"): [
        (
            "partial: covariances of nothing",
            "raise ValueError(_WORDS)",
            'return self.__dict__["_plain"].covariance_rows',
        ),
    ],
}
