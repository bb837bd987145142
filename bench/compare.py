"""Name every case that has become worse against its peer or limit between two stored results.

    python bench/compare.py OLD NEW

OLD and NEW are files of bench/results.  Compared are ratios, which hold on any machine: times over
a peer that ran in the same process, and shares of a limit that was measured in the same run.  A
case is worse if its ratio fell by more than 10 %, or rose where less is better; each is shown with
its spread, the quartiles over rounds, so that noise can be told from a loss.  Cases that only one
of the files has are named as well.  The exit status is 1 if a case is worse.
"""

import argparse
import json
import sys
from pathlib import Path

RATIOS = ("times", "%")  # the units that are compared; counts of a score card have others
WORSE = 0.9  # a case is worse if its ratio is below this share of the old one


def gain(old, new):
    """Return the new value over the old one, upside down where less is better."""
    a, b = (old["value"], new["value"]) if old["sense"] != "<=" else (new["value"], old["value"])
    if a == b:
        return 1.0
    return b / a if a else float("inf")


def shown(result):
    """Return a value with its spread."""
    low, high = result.get("spread", (None, None))
    spread = "" if low is None else f" ({low:.3g} to {high:.3g})"
    return f"{result['value']:.4g}{spread} {result['unit']}"


def compare(old, new):
    """Return the lines of a report on two lists of results, and how many cases are worse."""
    before, after = ({r["name"]: r for r in rows if r["unit"] in RATIOS} for rows in (old, new))
    both = [name for name in before if name in after]
    gains = {name: gain(before[name], after[name]) for name in both}
    worse = sorted((name for name in both if gains[name] < WORSE), key=gains.get)
    lines = [f"{len(both)} ratios compared, {len(worse)} worse by more than 10 %"]
    for name in worse:
        was, now = shown(before[name]), shown(after[name])
        lines.append(f"{gains[name]:.2f}  {name}: {was} -> {now}; {after[name]['command']}")
    for title, some, others in (("gone", before, after), ("new", after, before)):
        lines += [f"{title}: {name}" for name in some if name not in others]
    return lines, len(worse)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW")
    files = parser.parse_args(arguments)
    contents = [json.loads(file.read_text()) for file in (files.old, files.new)]
    if contents[0]["machine"]["cpu"] != contents[1]["machine"]["cpu"]:
        cpus = " and ".join(content["machine"]["cpu"] for content in contents)
        print(f"measured on different processors, so ratios may differ by that alone: {cpus}")
    lines, worse = compare(*(content["results"] for content in contents))
    print("\n".join(lines))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
