"""Result files -> pictures, as PNG files beside them.

    python -m benchmarks.pictures benchmarks/results

`throughput*.json`, `scaling*.json` and `nights*.json` of the folder are drawn, each under its own name.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import altair as alt
import pandas as pd
from rich.console import Console

OURS: Final = "emotion-udf"

_WIDTH = 520
_BAR = 30
_GROUPS = 220
_PIXELS_PER_POINT = 2
_BLUE, _GREY = "#2b6cb0", "#b8c0cc"
_STEPS = ("read", "quarantine", "score", "label", "aggregate", "gate", "publish")
_OUTSIDE_STEPS = "other"
_NIGHTS = {
    ("again", "first"): "first night",
    ("again", "second"): "same night again",
    ("new", "night"): "new texts, no history",
    ("new", "history"): "new texts, with history",
    ("repeated", "off"): "repeated texts, reuse off",
    ("repeated", "night"): "repeated texts, reused",
    ("prepared", "spark-submit"): "by spark-submit",
    ("prepared", "submit.sh"): "by tools/submit.sh",
}
"""What a picture calls the kinds of night."""

Result: TypeAlias = dict[str, Any]
"""A result file as JSON has it."""


def draw_throughput(result: Result, file: Path) -> None:
    """Draw rows a second by contender, the fastest first, this project's bar in colour.

    Args:
        result: What `benchmarks.throughput` wrote.
        file: The PNG to write.
    """
    rates = {name: found["rows_per_s"] for name, found in result["results"].items() if "rows_per_s" in found}
    bars = pd.DataFrame(
        {"contender": name, "rows_per_s": rate, "shown": _shown(name, rate, rates)} for name, rate in rates.items()
    )
    base = alt.Chart(bars).encode(y=alt.Y("contender:N", sort="-x", title=None, axis=_names_only()))
    colour = alt.condition(alt.datum.contender == OURS, alt.value(_BLUE), alt.value(_GREY))
    # Room to the right of the longest bar, for its label.
    room = alt.Scale(domain=[0, max(rates.values()) * 1.35])
    across = alt.X("rows_per_s:Q", title="rows a second", scale=room, axis=alt.Axis(grid=False, tickCount=6))
    drawn = base.mark_bar(height=_BAR * 0.7).encode(x=across, color=colour)
    labels = base.mark_text(align="left", dx=5, fontSize=13).encode(x=across, text="shown:N")
    about = [f"{result[key]:,} {key}" for key in ("rows", "cores") if key in result]
    about += [f"{name} failed" for name in result["results"] if name not in rates]
    title = _title("Labelling rate, Parquet to Parquet, warm workers", result, about)
    _save((drawn + labels).properties(width=_WIDTH, height=_BAR * len(bars), title=title), file)


def draw_scaling(result: Result, file: Path) -> None:
    """Draw rows a second, and below it the memory of a Python worker, by the number of rows.

    Args:
        result: What `benchmarks.scaling` wrote.
        file: The PNG to write.
    """
    bars = pd.DataFrame(result["measurements"])
    bars["on"] = [f"{cores} core{'s' if cores > 1 else ''}" for cores in bars["cores"]]
    rate = _grouped(bars, "rows_per_s", "rows a second")
    memory = _grouped(bars, "peak_mib", "peak of a Python worker, MiB")
    about = [f"jobs each: {len(result['measurements'][0]['seconds'])}", "memory as PSS"]
    title = _title("The UDF on Spark by number of rows, warm workers", result, about)
    _save(alt.vconcat(rate, memory, spacing=24).properties(title=title), file)


def draw_nights(result: Result, file: Path) -> None:
    """Draw the seconds of each kind of night, by step.

    Args:
        result: What `benchmarks.nights` wrote.
        file: The PNG to write.
    """
    kinds = {
        words: result[name]["nights"][kind] for (name, kind), words in _NIGHTS.items() if name in result
    }  # fmt: skip
    parts = pd.DataFrame(part for words, nights in kinds.items() for part in _parts(words, nights))
    totals = pd.DataFrame(
        {"night": words, "seconds": (total := median(night["run_s"] for night in nights)), "shown": f"{total:,.1f} s"}
        for words, nights in kinds.items()
    )
    rows = alt.Y("night:N", sort=list(kinds), title=None, axis=_names_only())
    room = alt.Scale(domain=[0, totals["seconds"].max() * 1.15])
    steps = [*_STEPS, _OUTSIDE_STEPS]
    bars = alt.Chart(parts).mark_bar(height=_BAR * 0.7).encode(
        x=alt.X("seconds:Q", title="seconds, without the start of Spark", scale=room, axis=alt.Axis(grid=False)),
        y=rows,
        color=alt.Color("step:N", sort=steps, scale=alt.Scale(domain=steps, scheme="tableau10"), title="step"),
        order=alt.Order("number:Q"),
    )  # fmt: skip
    labels = alt.Chart(totals).mark_text(align="left", dx=5, fontSize=13).encode(
        x=alt.X("seconds:Q", scale=room), y=rows, text="shown:N"
    )  # fmt: skip
    asked = result["asked"]
    about = [f"{asked['rows']:,} messages", f"{asked['cores']} cores"]
    title = _title("Seconds of a night by step", result | {"model": asked["model"]}, about)
    _save((bars + labels).properties(width=_WIDTH, height=_BAR * len(kinds), title=title), file)


DRAWINGS: Final[Mapping[str, Callable[[Result, Path], None]]] = {
    "throughput": draw_throughput,
    "scaling": draw_scaling,
    "nights": draw_nights,
}
"""What draws the result files whose names begin so."""


def draw_all(folder: Path) -> list[Path]:
    """Draw every result file of a folder that can be drawn, and return the pictures."""
    pictures = []
    for name, draw in DRAWINGS.items():
        for file in sorted(folder.glob(f"{name}*.json")):
            picture = file.with_suffix(".png")
            draw(json.loads(file.read_text(encoding="utf-8")), picture)
            pictures.append(picture)
    return pictures


def _shown(name: str, rate: float, rates: Mapping[str, float]) -> str:
    """Return a bar's label: the rate, and how many times as fast this project is."""
    rounded = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    ours = rates.get(OURS)
    return rounded if ours is None or name == OURS else f"{rounded}  ({OURS}: {ours / rate:.1f} ×)"


def _parts(words: str, nights: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the median seconds of each step of a kind of night, and those outside of all steps."""
    seconds = {step: median(night["steps"].get(step, 0.0) for night in nights) for step in _STEPS}
    seconds[_OUTSIDE_STEPS] = max(0.0, median(night["run_s"] for night in nights) - sum(seconds.values()))
    return [
        {"night": words, "step": step, "seconds": spent, "number": number}
        for number, (step, spent) in enumerate(seconds.items())
    ]


def _grouped(bars: pd.DataFrame, column: str, title: str) -> alt.LayerChart:
    """Return labelled bars by the number of rows, one beside the other for each number of cores."""
    order = bars.sort_values("cores")["on"].unique().tolist()
    colour = alt.Color("on:N", title=None, sort=order, scale=alt.Scale(range=[_GREY, _BLUE, "#1a365d", "#dd6b20"]))
    base = alt.Chart(bars).encode(
        x=alt.X("rows:O", title="rows in a job", axis=alt.Axis(format=",", labelAngle=0, ticks=False)),
        xOffset=alt.XOffset("on:N", sort=order),
        y=alt.Y(f"{column}:Q", title=title, scale=alt.Scale(domain=[0, float(bars[column].max()) * 1.1])),
    )
    labels = base.mark_text(dy=-8, fontSize=12).encode(text=alt.Text(f"{column}:Q", format=",.0f"))
    drawn: alt.LayerChart = base.mark_bar().encode(color=colour) + labels
    return drawn.properties(width=_WIDTH, height=_GROUPS)


def _title(words: str, result: Result, about: Sequence[str]) -> alt.TitleParams:
    """Say what was measured, and below it on what."""
    machine = result.get("machine", {})
    model = [f"{result['model']} model"] if "model" in result else []
    flags = ", ".join(machine.get("flags", []))
    cpu = f"{machine.get('cpu', 'unknown CPU')}{f' ({flags})' if flags else ''}"
    return alt.TitleParams(
        words, subtitle=[", ".join([*model, *about]), cpu], anchor="start", fontSize=16, subtitleFontSize=12, offset=14
    )


def _names_only() -> alt.Axis:
    return alt.Axis(labelFontSize=13, labelLimit=260, ticks=False, domain=False, labelPadding=8)


def _save(chart: alt.LayerChart | alt.VConcatChart, file: Path) -> None:
    styled = chart.configure_view(stroke=None).configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#eeeeee")
    styled.properties(padding=16).save(file, scale_factor=_PIXELS_PER_POINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the result files of a folder; 2 where there are none."""
    parser = argparse.ArgumentParser(description="Draw pictures of benchmark results.")
    parser.add_argument("folder", type=Path, help="holds throughput*.json, scaling*.json or nights*.json")
    folder = parser.parse_args(arguments).folder
    pictures = draw_all(folder)
    if not pictures:
        names = ", ".join(f"{name}*.json" for name in DRAWINGS)
        Console(stderr=True).print(f"pictures: expected {names} in {folder}, found none", markup=False, highlight=False)
        return 2
    for picture in pictures:
        Console().print(str(picture), markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
