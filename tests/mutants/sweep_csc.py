"""Edits of coordinate-descent sweeps over sparse columns, and the tests that must notice them."""

EDITS = {}
