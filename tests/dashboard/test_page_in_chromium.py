"""The page in a real browser, from a file: what readers see, choose, copy and reach by keyboard."""

import csv
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from deltalake import DeltaTable

from emotion_udf.emotions import EMOTIONS
from tests.dashboard.conftest import Built, Open, no_more
from tests.helpers.made_up import Feedback

SECTIONS = ["trust", "headline", "over-time", "groups", "movers", "terms", "copies", "quality", "examples"]
HOSTILE = '<img src=x onerror="window.stolen=1">'
SCRIPT = "</script><script>window.stolen=1</script>"

USUAL = Feedback(
    {"source": ["tweet", "review", "support"], "product": ["Kettle One", "Trailbag", None, "Lumen App"]},
    days=28,
    missing=(3,),
    empty=(9,),
    texts=[("anger", "call me on 0151 23456, @bob, or bob@example.org: https://example.org/a"), ("joy", "lovely")],
    audited=300,
)
SMALL = Feedback({"product": ["Kettle"]}, days=2)
HOSTILE_VALUES = Feedback(
    {"__proto__": ["__proto__", "constructor", HOSTILE], "a\"b' c": ["=1+1", SCRIPT]},
    terms=[("anger", SCRIPT), ("joy", HOSTILE), ("joy", "__proto__")],
    texts=[("anger", SCRIPT), ("joy", HOSTILE)],
)


def test_the_page_has_its_sections_in_order_and_says_nothing_to_the_console(open_feedback: Open) -> None:
    opened = open_feedback(USUAL)

    assert opened.page.locator("main > section").evaluate_all("all => all.map((one) => one.id)") == SECTIONS
    assert opened.page.title() == "Emotions in feedback"
    assert "joy + love − sadness − anger − fear" in opened.text("headline")
    assert opened.page.locator(".chart svg").count() >= 7


FORBIDDEN = {
    "a request": "fetch('https://example.org/').catch(() => 0)",
    "an import": "import('data:text/javascript,window.stolen=1').catch(() => 0)",
    "text as code": "setTimeout('window.stolen = 1')",
    "an inline script": "document.head.append(Object.assign(document.createElement('script'), {text: 'stolen = 1'}))",
    "an image": "document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))",
    "a style": "document.head.append(Object.assign(document.createElement('style'), {textContent: 'p {color: red}'}))",
}


def test_the_policy_forbids_requests_and_code_from_text(open_feedback: Open) -> None:
    opened = open_feedback(SMALL)

    with no_more(opened):
        for forbidden, script in FORBIDDEN.items():
            before = len(opened.said)
            opened.page.evaluate(f"async () => {{ await {script} }}")
            opened.page.wait_for_timeout(50)
            assert "Content Security Policy" in " ".join(opened.said[before:]), forbidden

    assert opened.page.evaluate("window.stolen") is None


@pytest.fixture(scope="module")
def tables(built: Built) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables behind the page of `USUAL`."""
    warehouse, _ = built(USUAL)
    with duckdb.connect() as connection:
        for name in ("emotion_daily", "emotion_terms"):
            connection.register(name, DeltaTable(warehouse / name).to_pyarrow_table())
        yield connection


@pytest.mark.slow
def test_figures_agree_with_duckdb_on_random_filters(open_feedback: Open, tables: duckdb.DuckDBPyConnection) -> None:
    opened = open_feedback(USUAL)
    rng = random.Random(15)  # noqa: S311
    first = USUAL.last - timedelta(days=USUAL.days - 1)

    for _ in range(12):
        days = sorted(rng.sample(range(USUAL.days), 2))
        only = {name: rng.choice([*values, "all"]) for name, values in USUAL.dimensions.items()}
        shares = rng.choice(["counts", "probability"])
        selected = Selected(first + timedelta(days[0]), first + timedelta(days[1]), only, shares, rng.random() < 0.5)
        opened.show(selected.address)

        expected = selected.headline(tables)
        found = opened.headline()
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == (value if value is None else pytest.approx(value, abs=2e-4)), (selected, name)
        by_day = [row for row in opened.numbers("over-time") if row["Period"] == "selected" and row["Messages"] != "0"]
        assert [(row["Day"], float(row["Messages"])) for row in by_day] == selected.by_day(tables)
        copies = {row["Day"]: float(row["Distinct texts"]) for row in opened.numbers("copies")}
        quality = {row["Day"]: row for row in opened.numbers("quality")}
        for day, distinct, *shares_of_day in selected.quality(tables):
            assert copies[day] == distinct
            assert [float(quality[day][name]) for name in QUALITY] == pytest.approx(shares_of_day, abs=1e-4)
        terms = selected.terms(tables)
        assert all(float(row["Messages"]) == terms[row["Emotion"], row["Term"]] for row in opened.numbers("terms"))
        groups = {row["Product"]: float(row["Messages"]) for row in opened.numbers("groups")}
        assert groups == selected.by_product(tables)


QUALITY = [
    "Not confident",
    "Cut, longer than the model reads",
    "Other languages",
    "Tokens that the model does not know",
]


class Selected:
    """A selection, and what DuckDB says of it."""

    def __init__(self, first: date, last: date, only: dict[str, str | None], shares: str, unclear: bool) -> None:
        self.first, self.last, self.only, self.shares = first, last, only, shares
        self.unclear = unclear and shares == "counts"

    def __repr__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        parts = [f"from={self.first}", f"to={self.last}", f"shares={self.shares}", "by=product"]
        parts += [] if self.unclear else ["unclear=no"]
        for name, value in self.only.items():
            parts += [] if value == "all" else [f"none.{name}="] if value is None else [f"is.{name}={value}"]
        return "&".join(parts)

    def query(self, tables: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
        conditions = [f"event_date BETWEEN '{self.first}' AND '{self.last}'"]
        for name, value in self.only.items():
            if value != "all":
                conditions.append(f"{name} IS NULL" if value is None else f"{name} = '{value}'")
        filtered = re.sub(r"(FROM \w+)", rf"\1 WHERE {' AND '.join(conditions)}", sql)
        return tables.execute(filtered).fetchall()

    def headline(self, tables: duckdb.DuckDBPyConnection) -> dict[str, float | None]:
        count = {
            "counts": "sum(feedback_count - low_confidence_count)" if self.unclear else "sum(feedback_count)",
            "probability": "sum(mean_probability * total_count)",
        }[self.shares]
        rows = self.query(
            tables,
            f"SELECT emotion, {count}, sum(low_confidence_count), sum(feedback_count), "  # noqa: S608
            "sum(distinct_text_count) "
            "FROM emotion_daily GROUP BY 1",
        )
        of = {row[0]: float(row[1]) for row in rows}
        messages = float(sum(row[3] for row in rows))
        good, bad = of.get("joy", 0) + of.get("love", 0), sum(of.get(name, 0) for name in ("sadness", "anger", "fear"))
        share: dict[str, float | None] = {
            name.capitalize(): of.get(name, 0) / messages if messages else None for name in EMOTIONS
        }
        if self.unclear:
            share["Unclear"] = float(sum(row[2] for row in rows)) / messages if messages else None
        figures: dict[str, float | None] = {
            "Messages": messages,
            "Distinct texts": float(sum(row[4] for row in rows)) if messages else None,
            "Net emotion": (good - bad) / (good + bad) if good + bad else None,
        }
        return figures | share

    def by_day(self, tables: duckdb.DuckDBPyConnection) -> list[tuple[str, float]]:
        rows = self.query(tables, "SELECT event_date, sum(feedback_count) FROM emotion_daily GROUP BY 1 ORDER BY 1")
        return [(str(day), float(count)) for day, count in rows]

    def quality(self, tables: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
        messages, measures = "sum(feedback_count)", ("low_confidence_count", "truncated_count", "foreign_count")
        shares = ", ".join(f"sum({measure}) / {messages}" for measure in measures)
        unknown = "sum(unknown_token_count) / sum(token_count)"
        sql = f"SELECT event_date, sum(distinct_text_count), {shares}, {unknown} FROM emotion_daily GROUP BY 1"  # noqa: S608
        return [(str(day), *map(float, values)) for day, *values in self.query(tables, sql)]

    def terms(self, tables: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], float]:
        rows = self.query(tables, "SELECT emotion, term, sum(feedback_count) FROM emotion_terms GROUP BY 1, 2")
        return {(emotion, term): float(count) for emotion, term, count in rows}

    def by_product(self, tables: duckdb.DuckDBPyConnection) -> dict[str, float]:
        rows = self.query(tables, "SELECT product, sum(feedback_count) FROM emotion_daily GROUP BY 1")
        return {name or "(no product)": float(count) for name, count in rows}


def test_controls_change_the_figures_and_the_address_restores_them(open_feedback: Open) -> None:
    opened = open_feedback(USUAL)
    before = opened.headline()

    opened.choose("from", "2026-10-01")
    opened.choose("only-0", "1")
    opened.choose("compare", "weekday")
    opened.choose("shares", "corrected")
    opened.choose("by", "0")
    changed = opened.headline()
    restored = open_feedback(USUAL, opened.page.evaluate("location.hash"))

    assert all(changed[name] != before[name] for name in before if name != "Unclear")
    assert restored.headline() == changed
    assert restored.text("headline") == opened.text("headline")
    assert restored.page.locator("#from").input_value() == "2026-10-01"
    values = [restored.page.locator(f"#{name}").input_value() for name in ("only-0", "compare", "shares", "by")]
    assert values == ["1", "weekday", "corrected", "0"]

    restored.page.locator("button[type=reset]").click()
    restored.ready()
    assert restored.headline() == before


def test_days_the_wrong_way_round_are_said_and_change_nothing(open_feedback: Open) -> None:
    opened = open_feedback(USUAL)
    before = opened.headline()

    opened.page.locator("#to").fill("2026-09-25")
    opened.page.locator("#to").dispatch_event("change")

    assert "the first one not after the last one" in opened.page.locator(".problem").inner_text()
    assert opened.headline() == before


def test_shares_of_each_kind_sum_to_one(open_feedback: Open) -> None:
    opened = open_feedback(USUAL)

    for shares in ("counts", "probability", "corrected"):
        opened.choose("shares", shares)
        figures = opened.headline()
        of_all = [value or 0 for name, value in figures.items() if name.lower() in (*EMOTIONS, "unclear")]
        assert len(of_all) == (7 if shares == "counts" else 6)
        assert sum(of_all) == pytest.approx(1)


def test_movers_add_up_to_the_change_of_the_whole(open_feedback: Open) -> None:
    opened = open_feedback(USUAL, "#compare=weekday")
    changes = {row["Figure"].lower(): row["Change"] for row in opened.numbers("headline")}

    cells = opened.numbers("movers")

    for emotion in (*EMOTIONS, "unclear"):
        moved = sum(float(row["within"]) + float(row["mix"]) for row in cells if row["Emotion"] == emotion)
        assert moved == pytest.approx(float(changes[emotion]), abs=1e-12)


def test_what_moved_is_said_in_words(open_feedback: Open) -> None:
    opened = open_feedback(Feedback({"source": ["support", "tweet"]}, days=28, mean=800))

    assert "Anger in support rose by" in opened.text("movers")
    assert opened.page.locator("#movers .chart").get_attribute("aria-label")


@pytest.mark.parametrize(("width", "dark"), [pytest.param(1200, False, marks=pytest.mark.slow), (360, True)])
def test_readers_with_disabilities_find_no_serious_barrier(open_feedback: Open, width: int, dark: bool) -> None:
    opened = open_feedback(USUAL, width=width, dark=dark)
    opened.numbers("groups")

    violations = Axe().run(opened.page).response["violations"]

    barriers = [found for found in violations if found["impact"] in ("serious", "critical")]
    assert [(found["id"], found["nodes"][0]["html"]) for found in barriers] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_every_control(open_feedback: Open) -> None:
    opened = open_feedback(USUAL)
    controls = "a[href], input, select, button, summary, [tabindex='0']"
    # Buttons in closed details are not there for anybody.
    wanted = opened.page.locator(controls).evaluate_all(
        "all => all.filter((one) => one.checkVisibility() && !one.disabled)"
        "          .map((one, index) => (one.dataset.stop = index))"
    )

    reached = set()
    for _ in range(3 * len(wanted)):  # a date has several parts
        opened.page.keyboard.press("Tab")
        reached.add(opened.page.evaluate("document.activeElement?.dataset.stop"))

    assert {str(stop) for stop in wanted} <= reached


def test_numbers_can_be_saved_as_they_stand(open_feedback: Open, tmp_path: Path) -> None:
    opened = open_feedback(HOSTILE_VALUES)

    for name in ("headline", "over-time", "movers", "groups", "terms", "copies", "quality"):
        shown = opened.numbers(name)
        with opened.page.expect_download() as download:
            opened.page.locator(f"[data-numbers='{name}'] button", has_text="Save CSV").click()
        download.value.save_as(tmp_path / "saved.csv")
        with (tmp_path / "saved.csv").open(encoding="utf-8-sig", newline="") as stream:
            saved = list(csv.DictReader(stream))
        assert [list(row.values()) for row in saved] == [[_as_csv(cell) for cell in row.values()] for row in shown]


def test_numbers_can_be_copied(open_feedback: Open) -> None:
    opened = open_feedback(SMALL)
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = opened.numbers("groups")

    opened.page.locator("[data-numbers='groups'] button", has_text="Copy").click()
    opened.page.get_by_text("Copied.").wait_for()

    copied = list(csv.reader(opened.page.evaluate("navigator.clipboard.readText()").splitlines()))
    assert copied == [list(shown[0]), *(list(row.values()) for row in shown)]


def _as_csv(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "@") else text


def test_hostile_names_and_values_stay_text(open_feedback: Open) -> None:
    opened = open_feedback(HOSTILE_VALUES)

    for address in ("", "by=a%22b%27+c", "is.__proto__=__proto__", "is.constructor=1&by=toString&shares=valueOf"):
        opened.show(address)
        assert "__proto__" in opened.text("sections"), address
        assert SCRIPT in opened.text("terms"), address
        assert HOSTILE.replace("1", "#") in opened.text("examples"), address
        assert (opened.headline()["Messages"] or 0) > 0, address
    assert opened.page.evaluate("window.stolen") is None
    assert opened.page.locator("main img, main script").count() == 0


def test_shares_of_an_unknown_model_cannot_be_corrected(open_feedback: Open) -> None:
    opened = open_feedback(Feedback({"product": ["Kettle"]}, days=2, model="f" * 32), "#shares=corrected")

    assert opened.page.locator("#shares option").all_inner_texts() == ["by counts", "by mean probability"]
    assert opened.page.locator("#shares").input_value() == "counts"
    assert "nothing is known of its accuracy" in opened.text("trust")


ONE = {"product": ["Kettle"]}
UNUSUAL = {
    "one day": (Feedback(ONE, days=1), "there are no days before to compare with"),
    "gaps": (Feedback({"product": ["Kettle", "Mug"]}, days=10, empty=(3, 8, 9), missing=(5,)), "Grey fields"),
    "no messages": (Feedback(ONE, days=3, empty=(0, 1, 2)), "No message in these days."),
    "one emotion": (Feedback(ONE, only="joy"), "+100.0"),
    "no dimension": (Feedback({}), "These tables have no dimensions"),
    "a null dimension": (Feedback({"product": [None]}), "(no product)"),
}
OTHERS = {
    "old rows": (Feedback(ONE, unknown_until=14), "Distinct texts are not recorded for these days."),
    "some old rows": (Feedback(ONE, unknown_until=10), "known of"),
    "no terms": (Feedback(ONE, terms=None), "This release has no terms"),
    "a forced gate": (Feedback(ONE, forced=["label_drift"]), "drift of the labels: 0.21, limit 0.15"),
    "a refused run": (Feedback(ONE, outcome="refused"), "ended as “refused”"),
    "many days": (Feedback(ONE, days=200, mean=5), "by week"),
}


@pytest.mark.parametrize("case", [*UNUSUAL, *(pytest.param(case, marks=pytest.mark.slow) for case in OTHERS)])
def test_unusual_releases_make_a_sensible_page(open_feedback: Open, case: str) -> None:
    feedback, says = (UNUSUAL | OTHERS)[case]

    opened = open_feedback(feedback, f"#from={feedback.dates[0]}", width=360)

    text = opened.page.locator("body").inner_text()
    assert says in text
    assert not re.search("NaN|undefined|null|Infinity", text)


@pytest.mark.slow
def test_ten_thousand_products_become_the_largest_and_the_others(open_feedback: Open, built: Built) -> None:
    feedback = Feedback({"product": [f"Product {number}" for number in range(10_000)]}, mean=2, terms=None)
    opened = open_feedback(feedback)

    said = re.search(
        r"the 200 values with the most messages are shown; (9,\d+) more are added up", opened.text("trust")
    )
    assert said
    assert f"other ({said[1]} values)" in opened.text("groups")
    groups = {row["Product"]: float(row["Messages"]) for row in opened.numbers("groups")}
    with duckdb.connect() as connection:
        connection.register("emotion_daily", DeltaTable(built(feedback)[0] / "emotion_daily").to_pyarrow_dataset())
        (total,) = connection.execute(
            "SELECT sum(feedback_count) FROM emotion_daily WHERE event_date > DATE '2026-10-11'"
        ).fetchall()[0]
    assert sum(groups.values()) == float(total)
    assert len(groups) == 201
