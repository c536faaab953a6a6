"""Names in the settings stay names: none becomes a query, another place, or more than one line."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from emotion_udf.settings.nightly import ColumnSettings, InputSettings, NightSettings

NAMES = st.text(st.sampled_from("ab_.`;'\"\n\t\\ ,(){}[]*/%$-=ü🎉\0"), max_size=8)


def accepts(model: Any, **values: Any) -> bool:
    try:
        model(**values)
    except ValidationError:
        return False
    return True


@given(NAMES)
@example("a\n")
@example("a.b")
@example("run_id")
def test_a_dimension_is_a_plain_word(name: str) -> None:
    plain = name != "" and name.isascii() and name.replace("_", "a").isalnum() and name.islower() and name[0].isalpha()
    reserved = name in ("run_id", "text", "emotion")
    settings = {"input": {"path": "/in", "dimensions": {name: "x"}}, "warehouse": {"root": "/out"}}

    assert accepts(NightSettings, **settings) == (plain and not reserved)


@pytest.mark.parametrize(
    "name", ["feedback", "lake.feedback", "spark_catalog.lake.feedback", "lake.`my-table`", "läke.x"]
)
def test_a_table_is_named(name: str) -> None:
    assert accepts(InputSettings, table=name)


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "a;", "a b", "a.b; DROP TABLE x", "(SELECT 1)", "range(3)", "a -- b", "a.", ".a", "a..b", "a\n",
        "parquet.`/etc/x`", "`parquet`.`../x`", "`a\nb`", "``", "a.`b", "lake.feedback@v1", "a\\b", "delta.`s3://x`",
        "`a``b`",
    ],
)  # fmt: skip
def test_a_query_or_a_place_is_no_table(name: str) -> None:
    assert not accepts(InputSettings, table=name)


@given(NAMES)
def test_a_table_that_is_accepted_has_no_way_out_of_its_name(name: str) -> None:
    if accepts(InputSettings, table=name):
        assert not set(name) & set("/\n\0\\")
        outside = "".join(name.split("`")[::2])
        assert not set(outside) & set(";'\"() ,-")


@pytest.mark.parametrize("field", ["id", "text", "created_at"])
def test_a_column_has_a_name(field: str) -> None:
    assert not accepts(ColumnSettings, **{field: ""})


@pytest.mark.parametrize("names", [["text"], ["Created_At"], [""], ["dt"]])
def test_what_the_job_reads_cannot_be_a_pseudonym(names: list[str]) -> None:
    assert not accepts(InputSettings, path="/in", date_partition="dt", pseudonymise=names)


@given(st.text(max_size=20))
@example("../../etc/passwd")
@example("UTC\n")
@example("/etc/localtime")
def test_a_zone_is_one_of_the_known(name: str) -> None:
    settings = {"input": {"path": "/in"}, "warehouse": {"root": "/out"}, "window": {"timezone": name}}

    assert accepts(NightSettings, **settings) == (name in ("UTC", "GMT", "Zulu"))
