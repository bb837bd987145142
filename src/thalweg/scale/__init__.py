"""Where the data are: larger than memory, labelled, on a cluster, in tables, behind other doors.

Each module needs a library of its own, an extra of the package, and imports it when it is called:
``import thalweg`` imports none of them.

storing        Store, and what `thalweg.fit` does with ``out=``: fits of a batch larger than memory
stored_result  open_result, StoredResult: a result that stays on disk
"""

from .stored_result import StoredResult, open_result
from .storing import Store

__all__ = ["Store", "StoredResult", "open_result"]
