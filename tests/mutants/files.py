"""Edits of how files are read and what the command line makes of them; the tests that notice."""

EDITS = {
    ("src/thalweg/_files/cells.py", "test_files_text.py test_files_drawn.py"): [
        (
            "cells: points among decimal commas",
            '    elif signs.decimal == "," and "." in cell:\n        return None\n',
            "",
        ),
        ("cells: Fortran's exponent without a letter", "fortran[2] or fortran[3]", "fortran[2]"),
        (
            "cells: a text that is meant",
            "pattern.fullmatch(cell)), None)\n\n\ndef shown",
            "False), None)\n\n\ndef shown",
        ),
    ],
    ("src/thalweg/_files/signs.py", "test_files_text.py test_files_drawn.py"): [
        ("signs: what is said is not heard", "    if decimal is None:\n", "    if True:\n"),
        (
            "signs: both decimal signs",
            "    if len(evidence.decimal) == 2:",
            "    if len(evidence.decimal) == 3:",
        ),
        ("signs: 1,234 is guessed", 'separator != ";":', "False:"),
        ("signs: 1.234 is guessed", 'decimal == "," and other not in shows', "False"),
    ],
    ("src/thalweg/_files/rows.py", "test_files_text.py test_files_drawn.py"): [
        ("rows: any separator", "share * good**2 * n / (n + 1)", "n / (n + 1)"),
        ("rows: the preamble counts", "max(len(rows) - begin, 1)", "max(len(rows), 1)"),
        ("rows: missing cells are comments", "and not BEGINS_WITH_MARK.match(text)", ""),
    ],
    ("src/thalweg/_files/counts.py", "test_files_text.py"): [
        ("counts: whole numbers", "or _interrupts(some[0][0], below)", ""),
        ("counts: a point that goes on", "return ordered and not continues", "return ordered"),
    ],
    ("src/thalweg/_files/across.py", "test_files_text.py"): [
        ("across: rows that share a name", "len(set(names)) < len(names) or", ""),
        ("across: four in order", "(_EVEN if even else _IN_ORDER)", "_DOUBTFUL"),
        ("across: five in order", "(_EVEN if even else _IN_ORDER)", "_EVEN"),
        ("across: rows that are not asked for", "if wanted is False:", "if False:"),
        ("across: any units", 'len({match["unit"] for match in found}) == 1', "True"),
        ("across: dates are names", "all(map(is_date, cells)) or aside", "aside"),
        (
            "across: a name aside is none",
            "all(map(is_date, cells)) or aside",
            "all(map(is_date, cells))",
        ),
    ],
    ("src/thalweg/_files/histograms.py", "test_files_text.py"): [
        ("histograms: one width", "other = self.widths[j] != self.widths[0]", "other = False"),
        ("histograms: times", "repr(k * width)", "repr(k + width)"),
    ],
    ("src/thalweg/_files/serial.py", "test_files_text.py"): [
        ("serial dates: days are seconds", "(values - known[0]) * _SECONDS", "values - known[0]"),
        ("serial dates: any number", "if wrong.size:", "if False:"),
    ],
    ("src/thalweg/_files/extent.py", "test_files_text.py"): [
        ("extent: a row of data is a name", "or is_number(row[0]) or is_date(row[0])", ""),
        ("extent: a footer", "if len(rows) - i < i - other and", "if False and"),
        ("extent: ragged rows", "(i > begin or all(map(is_number, row)))", "False"),
        ("extent: numbers end a table", "not any(map(str.isdigit, text))", "True"),
        ("extent: rows end a table", "words = len(row) != width and", "words ="),
        ("extent: a preamble of the table's width", "if len(rows[i]) != width)])", "if False)])"),
    ],
    ("src/thalweg/_files/heads.py", "test_files_text.py test_cli_long.py"): [
        (
            "heads: samples are keywords",
            "if len(plain) > 2 and len(keys) > 1 and",
            "if len(keys) > 1 and",
        ),
        ("heads: any corner", "or not is_missing(rows[0][0]):", "or False:"),
        ("heads: groups are units", "if more <= last and _are_groups(", "if False and ("),
        (
            "heads: a title is a name",
            "while first < last and _is_title(rows[first])",
            "while False",
        ),
        ("heads: decimal commas are a preamble", "and texts) or commas):", "and texts)):"),
        ("heads: 1.234,5 has a decimal point", "d{1,2}|", "d{1,3}|"),
        ("heads: units are names", "        first -= 1  # names", "        pass  # names"),
    ],
    ("src/thalweg/_files/dates.py", "test_files_text.py"): [
        ("dates: midnight", "seconds += 86_400.0 * np.cumsum(falls)", "pass"),
        ("dates: zones", 'moment -= offset if zone[0] == "+" else -offset', "pass"),
        (
            "dates: the day is guessed",
            "if pairs and not any(q > 12 for _, q, _ in pairs)",
            "if False",
        ),
        ("dates: noon", "a = a % 12 + 12", "a = a + 12"),
    ],
    ("src/thalweg/_files/sheet.py", "test_files_text.py"): [
        ("sheet: failed formulas are not told", "        if failed:\n", "        if False:\n"),
        ("sheet: an index is x", "values[0] in (0, 1) and len(numeric) > 1", "False"),
        (
            "sheet: one number among texts",
            "            elif value is None and cause(cell):\n                return",
            "            elif False:\n                return",
        ),
    ],
    ("src/thalweg/_core/rows.pyx", "test_files_long.py"): [
        (
            "plain rows: digits that a double lacks",
            "m <= (<uint64_t> 1 << 53) and -EXACT",
            "-EXACT",
        ),
        ("plain rows: halves are rounded up", "and r & 1):\n        r += 1", "):\n        r += 1"),
        ("plain rows: text behind", "return p if p[0] == 0 else NULL", "return p"),
        ("plain rows: an empty first cell", "if not (j and separator):", "if False:"),
        ("plain rows: a point among commas", "or p[n] == decimal or", "or p[n] in b'.,' or"),
        ("plain rows: any length", "    if q - p >= LONGEST:\n        return p\n", ""),
    ],
    ("src/thalweg/_files/long.py", "test_files_long.py"): [
        ("long files: comments are numbers", "        or sign.isalnum()\n", ""),
        (
            "long files: columns of texts",
            '        or any(sheet.kind(j) != "numbers"',
            "        or any(False",
        ),
        ("long files: an empty column behind", "sheet.n_empty,", "0,"),
        ("long files: a failed formula", "if any(sheet.failed_formulas(j, values)", "if any(()"),
        ("long files: lines", "range(n_lines + 1, n_lines + 1 + n_more)", "range(n_more)"),
    ],
    ("src/thalweg/_files/sheet.py", "test_files_long.py"): [
        ("sheet: marks are numbers", "np.where(np.isin(values, marks), np.nan, values)", "values"),
    ],
    ("src/thalweg/cli/roles.py", "test_files_text.py"): [
        ("roles: errors are data", "    if not data or not owners:", "    if True:"),
        (
            "roles: any errors are sigma",
            "bool(((sheet.numbers(place) > 0)",
            "bool(((sheet.numbers(place) > -9)",
        ),
        (
            "roles: some have errors",
            "if all(len(pair) == 1 for pair in pairs):",
            "if any(len(pair) == 1 for pair in pairs):",
        ),
    ],
    ("src/thalweg/cli/long_tables.py", "test_cli_long.py"): [
        ("groups: rows out of order", "values[self.order]", "values[np.sort(self.order)]"),
        (
            "groups: a missing key is one",
            "number.setdefault(k, len(number)) if all(k) else -1",
            "number.setdefault(k, len(number))",
        ),
        ("groups: a part of a key", "if all(k) else", "if any(k) else"),
        ("masks: empty cells", "flags == 1 if not (flags == 0).any() else", ""),
        ("masks: any number", "& (flags != 0) & (flags != 1)", "& False"),
    ],
    ("src/thalweg/cli/fit_command.py", "test_cli_refusals.py"): [
        ("outputs: overwritten", "path.is_file() and not arguments.force", "False"),
    ],
    (
        "src/thalweg/_whole_files.py",
        "test_files_whole.py::test_a_file_that_comes_to_exist_meanwhile_is_kept",
    ): [
        ("outputs: overwritten late", "not self._replaces and self._target.exists()", "False"),
    ],
    ("src/thalweg/_files/arrays.py", "test_files_arrays.py"): [
        ("arrays: colours", 'series.axes.endswith("S")', "False"),
        ("arrays: a leading slash", 'if name.strip("/") in names', "if name in names"),
    ],
    ("src/thalweg/_arguments/pieces.py", "test_byte_order.py test_pieces.py"): [
        (
            "pieces: a named byte order",
            "        return usual(array)\n    return copied",
            "        return array\n    return copied",
        ),
    ],
}
