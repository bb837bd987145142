from numpy import float64
from numpy.typing import NDArray

def read_rows(
    text: str, width: int, behind: int, separator: str | None, decimal: str
) -> NDArray[float64] | None: ...
