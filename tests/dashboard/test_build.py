import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.dashboard import build
from emotion_udf.dashboard.build import PageOptions, build_dashboard
from emotion_udf.dashboard.page import render, script_json
from emotion_udf.errors import InputError, UsageError
from tests.helpers.made_up import Feedback, write_release

SMALL = Feedback({"product": ["Kettle", "</script><script>alert(1)</script>"]}, days=4, texts=[("joy", "lovely")])


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    write_release(tmp_path / "warehouse", SMALL)
    return tmp_path / "warehouse"


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_is_one_file_that_names_no_other(warehouse: Path, tmp_path: Path) -> None:
    size = build_dashboard(str(warehouse), tmp_path / "out" / "page.html")

    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert size == (tmp_path / "out" / "page.html").stat().st_size < 1_500_000
    assert os.listdir(tmp_path / "out") == ["page.html"]
    assert re.findall(r'(?:src|href)="([^"]*)"', page.partition("<script")[0]) == ["data:,", "#headline"]
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page
    assert page.count("<script") == page.count("</script>") == 3
    (dimension,) = data_of(page)["dimensions"]
    assert sorted(dimension["values"]) == ["</script><script>alert(1)</script>", "Kettle"]


def test_the_same_release_makes_the_same_figures(warehouse: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("a.html", "b.html"):
        build_dashboard(str(warehouse), tmp_path / name)
        pages.append(data_of((tmp_path / name).read_text(encoding="utf-8")) | {"built_at": ""})

    assert pages[0] == pages[1]


def test_examples_and_days_are_shown_as_far_as_wanted(warehouse: Path, tmp_path: Path) -> None:
    build_dashboard(str(warehouse), tmp_path / "page.html", PageOptions("Our <title>", days=2, examples=False))

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert data_of(page)["examples"] is None
    assert (data_of(page)["first"], data_of(page)["last"]) == ("2026-10-17", "2026-10-18")
    assert "<title>Our &lt;title&gt;</title>" in page


@pytest.mark.parametrize("broken", ["emotion_daily", "emotion_labels", "releases"])
def test_the_last_good_page_stays_where_a_release_cannot_be_read(warehouse: Path, tmp_path: Path, broken: str) -> None:
    out = tmp_path / "page.html"
    build_dashboard(str(warehouse), out)
    before = out.read_bytes()
    next((warehouse / broken).rglob("*.parquet")).unlink()

    with pytest.raises(InputError, match="gone"):
        build_dashboard(str(warehouse), out)

    assert out.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["page.html", "warehouse"]


def test_the_last_good_page_stays_where_the_disk_is_full(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "page.html"
    out.write_text("good", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        build_dashboard(str(warehouse), out)

    assert out.read_text(encoding="utf-8") == "good"
    assert sorted(os.listdir(tmp_path)) == ["page.html", "warehouse"]


@pytest.mark.parametrize("place", ["a_file/page.html", "a_folder"])
def test_places_that_cannot_be_written_are_refused_before_anything_is_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "a_file").touch()
    (tmp_path / "a_folder").mkdir()

    with pytest.raises(UsageError, match=r"expected a (place|file)"):
        build_dashboard(str(tmp_path / "no warehouse"), tmp_path / place)


def test_an_evaluation_of_another_model_is_refused(warehouse: Path, tmp_path: Path) -> None:
    other = tmp_path / "evaluation.json"
    other.write_text(json.dumps({"model_fingerprint": "other", "sets": []}), encoding="utf-8")

    with pytest.raises(UsageError, match=r"expected the evaluation of the model .*, found that of other"):
        build_dashboard(str(warehouse), tmp_path / "page.html", PageOptions(evaluation=other))


@given(
    st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=9)
)
def test_json_in_a_script_comes_back_and_cannot_end_it(data: object) -> None:
    text = script_json(data)

    assert json.loads(text) == data
    assert not re.search(r"[<\u2028\u2029]", text)


def test_a_title_is_only_a_title() -> None:
    page = render("{{data}} </title><script>", {"x": "{{script}}"})

    assert "<title>{{data}} &lt;/title&gt;&lt;script&gt;</title>" in page
    assert '{"x":"{{script}}"}' in page


@pytest.mark.slow
@pytest.mark.parametrize("mean", [20, 500])
def test_a_year_of_fifty_products_and_four_sources_is_shown_whole_in_three_megabytes(tmp_path: Path, mean: int) -> None:
    year = Feedback(
        {"product": [f"Product {n}" for n in range(50)], "source": ["tweet", "review", "support", "forum"]},
        days=365,
        mean=mean,
        least=5,
        terms=() if mean == 20 else None,
    )
    write_release(tmp_path / "warehouse", year)

    size = build_dashboard(str(tmp_path / "warehouse"), tmp_path / "page.html")

    data = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert size <= 3_000_000
    assert [(len(one["values"]), one["others"]) for one in data["dimensions"]] == [(50, 0), (4, 0)]
    assert data["cube"]["rows"] > 72_000


def test_a_page_that_would_be_too_large_tells_less_apart(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MAX_BYTES", 1)
    monkeypatch.setattr(build, "_DETAILS", (build.Detail(100, 100, 1_000), build.Detail(1, 1, 1_000)))

    build_dashboard(str(warehouse), tmp_path / "page.html")

    data = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert (data["dimensions"], data["left_out"]) == ([], ["product"])
