"""Edits of results in a store: what is read, marked, compared and locked; the tests that notice."""

_ALL = "test_store_flushes.py test_store_safety.py test_store_refit.py test_store.py"

EDITS = {
    ("src/thalweg/scale/zarr_store.py", _ALL): [
        (
            "store: status not last",
            'sorted(arrays, key=lambda name: name == "status")',
            'sorted(arrays, key=lambda name: name != "status")',
        ),
        (
            "store: old chunks stay",
            "file.unlink(missing_ok=True)\n            else:",
            "pass\n            else:",
        ),
        ("store: marked with the data", "write_files(chunks, mark,", "write_files(chunks | mark,"),
        ("store: folders not flushed", "mark, folders=self._to_flush)", "mark)"),
        ("store: the last folder alone", "if folder in self._kept or folder", "if True or folder"),
        ("store: ends not filled up", "if values.shape != chunk:", "if False:"),
        ("store: broken marks read", "if len(mark) == marks[place].nbytes:", "if True:"),
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
        ("storing: pieces half done", "if _was_cut_off(result, call, watch):", "if False:"),
        ("storing: pieces with fewer starts", "(stopped and several) or", ""),
        ("storing: numbers of points in 8 bytes", '.replace("i8", "i4")', ""),
        (
            "storing: warned for each piece",
            'warnings.simplefilter("ignore", SlowModelWarning)',
            "pass",
        ),
    ],
    ("src/thalweg/scale/zarr_format.py", "test_store.py"): [
        ("format: no NaN", '"NaN" if math.isnan(fill) else float(fill)', "float(fill)"),
        ("format: one chunk", '"chunk_shape": list(chunk)', '"chunk_shape": list(shape)'),
    ],
    ("src/thalweg/scale/_outputs.py", "test_scale_outputs.py"): [
        ("outputs: shape of a part", "raise error.of_all(shape) from None", "raise"),
        (
            "outputs: errors of one output",
            "raise (error if several else refusal) from None",
            "raise refusal from None",
        ),
    ],
    ("src/thalweg/scale/float32.py", "test_store_float32.py"): [
        ("float32: one data set stands for all", "prod(batch), SAMPLED", "prod(batch), 1"),
        ("float32: masked values count", "values = values.filled(np.nan)", "pass"),
        ("float32: whole numbers", '"fiu" or part.dtype == np.float32', '"f"'),
    ],
    ("src/thalweg/scale/call.py", "test_store_float32.py test_scale_outputs.py"): [
        (
            "call: pieces are judged",
            "rounded(part_of(leaf)) if single else part_of(leaf)",
            "part_of(leaf)",
        ),
        ("call: no axis of outputs", "layout.with_outputs() if outputs else layout", "layout"),
    ],
    ("src/thalweg/scale/_cut.py", "test_scale_outputs.py"): [
        (
            "cut: x is one of all outputs",
            'self.of_one if meaning == "x" else self.layout',
            "self.layout",
        ),
    ],
    ("src/thalweg/scale/stored_numbers.py", "test_store_numbers.py"): [
        ("numbers: any shape", "if value.shape[: len(batch)] != batch:", "if False:"),
        (
            "numbers: errors in place of values",
            'found["params"].variable[..., j]',
            'found["stderr"].variable[..., j]',
        ),
    ],
    ("src/thalweg/plot/maps.py", "test_store_numbers.py"): [
        ("maps: ticks of what is shown", "(step * n - 0.5 for n", "(n - 0.5 for n"),
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
    ("src/thalweg/scale/sources.py", "test_scale_outputs.py test_store.py"): [
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
        (
            "sources: sigma of outputs is a batch",
            "if outputs and len(shape) <= len(layout.points):",
            "if False:",
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
