"""``python tests/fuzz``: run random cases for a while and report what does not hold."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `fuzz`, as tests have it

from fuzz.claims import check
from fuzz.draw import draw
from fuzz.linear import check_linear, draw_linear

KINDS = {"fit": (draw, check), "linear": (draw_linear, check_linear)}


def main():
    """Run until the time is over; the exit status is 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long, in processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, default="fit", help="of what")
    parser.add_argument("--case", metavar="SEED:NUMBER", help="this one case alone")
    arguments = parser.parse_args()
    if arguments.case:
        seed, number = map(int, arguments.case.split(":"))
        return report(arguments.kind, seed, number, tell=True)
    number = findings = 0
    while time.process_time() < arguments.seconds:
        findings += report(arguments.kind, arguments.seed, number)
        number += 1
    print(f"seed {arguments.seed}: {number} cases, {findings} with findings")
    return findings > 0


def report(kind, seed, number, tell=False):
    """Whether the case has findings, which are printed."""
    draw_one, check_one = KINDS[kind]
    case = draw_one(seed, number)
    found = check_one(case)
    if found or tell:
        print(f"--case {seed}:{number}  {case}", *(f"    {f}" for f in found), sep="\n", flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
