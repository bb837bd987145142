"""Check the built documentation: every link inside the site leads somewhere, no list has letters.

python scripts/check_site.py docs/_build/html

A list numbered with letters is a line of text that began with an initial, as in "H. B. Nielsen".
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, its anchors, and the kinds of its numbered lists."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.lists: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[key] for key in ("id", "name") if key in values}
        self.links |= {values[key] for key in ("href", "src") if key in values}
        if tag == "ol":
            self.lists.add(values.get("class", ""))


def faults(root: Path) -> list[str]:
    """Return a line for each fault of the site."""
    pages = {
        file: Page(file) for file in sorted(root.rglob("*.html")) if "_static" not in file.parts
    }
    found = []
    for file, page in pages.items():
        here = file.relative_to(root)
        if any("alpha" in kind or "roman" in kind for kind in page.lists):
            found.append(f"{here}: a list with letters")
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            if not target.exists():
                found.append(f"{here}: no file for {link}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                found.append(f"{here}: no place for {link}")
    return found


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]).resolve())
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(bool(lines))
