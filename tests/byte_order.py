"""Arrays whose type names the byte order of this machine, as those of Zarr do."""

import sys


def named(array):
    """Return the same array; its type equals the usual one, but is not the same."""
    return array.view(array.dtype.newbyteorder({"little": "<", "big": ">"}[sys.byteorder]))
