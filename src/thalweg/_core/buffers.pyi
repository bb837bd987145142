from typing import Any, Literal

_Content = Literal["finite", "infinite", "nan"]

def one_row(x: Any, y: Any, dtype: Any) -> tuple[_Content, _Content] | None: ...
