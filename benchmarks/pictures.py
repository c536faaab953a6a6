"""Draw records of `benchmarks.throughput`, each as a PNG file beside it. Labels that differ from fp32's are told.

python -m benchmarks.pictures benchmarks/results/throughput-base.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.throughput import OURS, agrees


def draw_throughput(record: dict[str, Any], picture: Path) -> None:
    """Draw rows a second by contender, the fastest first, this project's bar in color."""
    rows = [row for row in record["rows"] if "failed" not in row]
    doubts = ["" if agrees(row) else f" ({row['equal_labels']:.1%} of labels)" for row in rows]
    told = [f"{row['rows_per_s']:,.0f}{doubt}" for row, doubt in zip(rows, doubts, strict=True)]
    bars = pd.DataFrame(rows).assign(told=told)
    machine = record["machine"]
    title = alt.TitleParams(
        f"Labelling rate, {record['options']['model']} model, Parquet to Parquet, warm workers",
        subtitle=f"{machine['cores']} cores of {machine['cpu']} ({', '.join(machine['flags'])})",
        anchor="start",
    )
    base = alt.Chart(bars, title=title, width=520).encode(
        x=alt.X("rows_per_s:Q", title="rows a second"), y=alt.Y("contender:N", sort="-x", title=None)
    )
    color = alt.condition(alt.datum.contender == OURS, alt.value("#2b6cb0"), alt.value("#b8c0cc"))
    text = base.mark_text(align="left", dx=5).encode(text="told:N")
    (base.mark_bar().encode(color=color) + text).save(picture, scale_factor=2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the records that the command line names."""
    parser = argparse.ArgumentParser(description="Draw records of benchmarks.throughput.")
    parser.add_argument("records", nargs="+", type=Path)
    for record in parser.parse_args(arguments).records:
        draw_throughput(json.loads(record.read_text(encoding="utf-8")), record.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
