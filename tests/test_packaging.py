"""What other packagers read agrees with pyproject.toml, which says it first."""

import re
import tomllib
from pathlib import Path

import pytest

import thalweg as tw

ROOT = Path(__file__).resolve().parents[1]
SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SOURCE["project"]
RECIPE = (ROOT / "packaging" / "recipe.yaml").read_text()


@pytest.mark.parametrize("file", ["packaging/recipe.yaml", "CITATION.cff"])
def test_every_file_names_one_version(file):
    named = re.findall(r'^ *version: "?(\d[\w.]*)"?$', (ROOT / file).read_text(), re.MULTILINE)
    assert named == [PROJECT["version"]] == [tw.__version__]


def test_the_recipe_asks_for_what_the_project_asks_for():
    asked = dict(re.findall(r"^    - ([\w-]+) ([<>=.,\d]+)", RECIPE, re.MULTILINE))
    wanted = [*SOURCE["build-system"]["requires"], *PROJECT["dependencies"]]
    for name, versions in (re.match(r"([\w-]+)(.*)", line).groups() for line in wanted):
        assert asked[name] == versions, name
    assert asked["python"] == PROJECT["requires-python"]


def test_the_recipe_describes_the_project_alike():
    (command,) = (f"{name} = {place}" for name, place in PROJECT["scripts"].items())
    assert f"- {command}\n" in RECIPE
    assert f"summary: {PROJECT['description']}\n" in RECIPE
    assert f"license: {PROJECT['license']}\n" in RECIPE
