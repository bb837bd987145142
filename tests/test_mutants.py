"""The list of mutants (tests/mutants) fits the source that it edits."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In a process of its own, for modules of the list have the names of modules beside this one.
LIST = """
import json
from families import FAMILIES
print(json.dumps([mutant._asdict() for mutants in FAMILIES.values() for mutant in mutants]))
"""


def test_every_mutant_has_one_place_and_tests_that_exist():
    """Else it breaks nothing, or more than it says, and proves nothing."""
    folder = ROOT / "tests" / "mutants"
    done = subprocess.run(
        [sys.executable, "-c", LIST], cwd=folder, capture_output=True, text=True, check=True
    )
    mutants = json.loads(done.stdout)
    assert len(mutants) > 800
    for mutant in mutants:
        source = (ROOT / mutant["file"]).read_text(encoding="utf-8")
        assert source.count(mutant["old"]) == 1, f"{mutant['name']}: {mutant['file']}"
        assert mutant["new"] != mutant["old"], mutant["name"]
        for name in mutant["tests"]:
            assert (ROOT / "tests" / name.partition("::")[0]).exists(), name
