"""The rules that docs/tariffs.md shows are rules."""

import json
import re
from dataclasses import fields
from pathlib import Path

from tariffs.ceilings import accept_rules
from tariffs.rules import Rules

PAGE = (Path(__file__).parents[2] / "docs/tariffs.md").read_text("utf-8")


def test_the_example_is_accepted_as_it_stands() -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert example
    rules = accept_rules(json.loads(example[1]))
    assert (rules.segments[0].name, rules.caps_fen) == ("夜间", (1500, 2000, 2500))


def test_every_field_is_told_of() -> None:
    assert [field.name for field in fields(Rules) if field.name not in PAGE] == []
