from typing import Any

from .differences import Differences

class Leading:
    def __init__(self, differences: Differences) -> None: ...
    def __call__(self, theta: Any, renews: bool) -> tuple[Any, Any, float, bool]: ...
