from email.message import Message

import pytest

from tests.helpers.paths import ROOT
from tools.licences import Allowed, find_problems, licence_of, pinned_packages, read_allowed

ALLOWED = Allowed(
    frozenset({"MIT", "BSD-2-Clause", "Apache-2.0", "BSD License", "ISC License (ISCL)"}), {"silent": "MIT"}
)


@pytest.mark.parametrize(
    ("licence", "permitted"),
    [
        ("MIT", True),
        ("ISC License (ISCL)", True),
        ("MIT AND BSD-2-Clause", True),
        ("(MIT OR Apache-2.0) AND BSD-2-Clause", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT; BSD License", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR AGPL-3.0-only", False),
        ("GNU General Public License (GPL)", False),
        ("mit", False),
        ("", False),
    ],
)
def test_all_licences_are_allowed_or_one_of_a_choice(licence: str, permitted: bool) -> None:
    assert ALLOWED.permits(licence) == permitted


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ({"License-Expression": ["MIT"], "License": ["GPL"]}, "MIT"),
        ({"Classifier": ["License :: OSI Approved", "License :: OSI Approved :: BSD License"]}, "BSD License"),
        ({"Classifier": ["License :: A", "License :: OSI Approved :: B", "Topic :: C"]}, "A; B"),
        ({"License": ["Apache-2.0"]}, "Apache-2.0"),
        ({"License": ["UNKNOWN"]}, ""),
        ({"License": ["Permission is hereby granted, free of charge, to any person who " * 9]}, ""),
        ({}, ""),
    ],
)
def test_the_metadata_name_the_licence(lines: dict[str, list[str]], licence: str) -> None:
    package = Message()
    for name, values in lines.items():
        for value in values:
            package[name] = value

    assert licence_of(package) == licence


def test_a_package_whose_licence_is_not_known_is_a_problem() -> None:
    problems = find_problems({"good": "MIT", "silent": "", "mute": "", "bad": "GPL-3.0-only", "gone": None}, ALLOWED)

    assert [problem.partition(":")[0] for problem in problems] == ["mute", "bad", "gone"]


def test_a_licence_may_be_allowed_for_one_package_only() -> None:
    allowed = Allowed(frozenset({"MIT"}), alone={"driver": "LGPL-3.0-only"})
    found = {"driver": "LGPL-3.0-only", "other": "LGPL-3.0-only"}

    assert [problem.partition(":")[0] for problem in find_problems(found, allowed)] == ["other"]
    assert [problem.partition(":")[0] for problem in find_problems({"driver": "GPL-3.0-only"}, allowed)] == ["driver"]


def test_the_pins_and_the_section_are_read() -> None:
    assert pinned_packages("# a comment: x==1\na==1.0\nb.c_d-e==2\n") == ["a", "b.c_d-e"]
    allowed = read_allowed((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert allowed.permits("Apache-2.0 AND CNRI-Python")
    assert not allowed.permits("GPL-3.0-only")
    assert allowed.alone["psycopg"] == "LGPL-3.0-only"
