"""Pictures of results: read back from the PNG files."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.nights import MEASURES
from benchmarks.pictures import _NIGHTS as WORDS
from benchmarks.pictures import draw_all, draw_nights, draw_scaling, draw_throughput, main

MACHINE = {"cpu": "A Processor", "flags": ["avx2"], "cores": 2}
THROUGHPUT: dict[str, Any] = {
    "machine": MACHINE,
    "model": "base",
    "rows": 2000,
    "cores": 2,
    "results": {"emotion-udf": {"rows_per_s": 70.0}, "ray": {"rows_per_s": 30.0}, "other": {"failed": "why"}},
}
SCALING: dict[str, Any] = {
    "machine": MACHINE,
    "model": "tiny",
    "measurements": [
        {"rows": rows, "cores": cores, "seconds": [1.0], "rows_per_s": 900.0 * cores, "peak_mib": 300.0}
        for rows in (1_000, 100_000)
        for cores in (1, 2)
    ],
}
NIGHT = {"run_s": 9.0, "steps": {"read": 1.0, "score": 7.0, "label": 0.5}}
NIGHTS: dict[str, Any] = {
    "machine": MACHINE,
    "asked": {"model": "base", "rows": 1000, "cores": 2},
    "again": {"nights": {"first": [NIGHT, NIGHT], "second": [NIGHT | {"run_s": 2.0}]}},
}


def pixels_of(file: Path) -> bytes:
    """Read a PNG, checking each chunk, and return the lines of pixels as they stand in it."""
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    data, place, kind = b"", 8, b""
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length]) == (zlib.crc32(kind + body),)
        data += body if kind == b"IDAT" else b""
        place += 12 + length
    assert kind == b"IEND"
    return zlib.decompress(data)


def test_throughput_becomes_a_picture_in_which_figures_show(tmp_path: Path) -> None:
    faster = json.loads(json.dumps(THROUGHPUT))
    faster["results"]["ray"]["rows_per_s"] = 80.0
    draw_throughput(THROUGHPUT, tmp_path / "one.png")
    draw_throughput(faster, tmp_path / "other.png")
    assert pixels_of(tmp_path / "one.png") != pixels_of(tmp_path / "other.png")


def test_throughput_without_this_project_and_without_a_machine_becomes_a_picture(tmp_path: Path) -> None:
    draw_throughput({"results": {"ray": {"rows_per_s": 3.0}}}, tmp_path / "one.png")
    assert pixels_of(tmp_path / "one.png")


def test_scaling_becomes_a_picture(tmp_path: Path) -> None:
    draw_scaling(SCALING, tmp_path / "scaling.png")
    assert pixels_of(tmp_path / "scaling.png")


@pytest.mark.parametrize("measure", MEASURES)
def test_every_kind_of_night_has_its_words(measure: str, tmp_path: Path) -> None:
    nights = {kind: [NIGHT] for name, kind in WORDS if name == measure}
    assert len(nights) == 2
    draw_nights({**{k: NIGHTS[k] for k in ("machine", "asked")}, measure: {"nights": nights}}, tmp_path / "nights.png")
    assert pixels_of(tmp_path / "nights.png")


def test_nights_become_a_picture(tmp_path: Path) -> None:
    draw_nights(NIGHTS, tmp_path / "nights.png")
    assert pixels_of(tmp_path / "nights.png")


def test_all_results_of_a_folder_are_drawn_under_their_names(tmp_path: Path) -> None:
    for name, result in {"throughput-base": THROUGHPUT, "scaling": SCALING, "nights": NIGHTS, "gpu": {}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    drawn = [picture.name for picture in draw_all(tmp_path)]
    assert drawn == ["throughput-base.png", "scaling.png", "nights.png"]
    assert all((tmp_path / name).is_file() for name in drawn)


def test_a_folder_without_results_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "throughput*.json" in capsys.readouterr().err
