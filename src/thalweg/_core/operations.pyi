from collections.abc import Sequence
from typing import Any

def opcodes() -> dict[str, int]: ...
def opcode(name: str) -> int: ...
def of_capsule(capsule: Any) -> tuple[str, int]: ...
def register(
    name: str,
    address: int,
    arity: int,
    flag: bool = ...,
    wrt: Sequence[int] = ...,
    owner: Any = ...,
) -> None: ...
