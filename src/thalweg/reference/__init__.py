"""Every kernel in plain NumPy: the specification that the compiled code is tested against.

Same names, same arguments; made to be read, and no fallback.
"""

from .damped import Outcome, add_block, levenberg_marquardt, merge_rows

__all__ = ["Outcome", "add_block", "levenberg_marquardt", "merge_rows"]
