"""The pictures of an evaluation, read back from the PNG files."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from emotion_udf.training.evaluate import Predictions
from emotion_udf.training.pictures import draw_confusion, draw_reliability

EYE = (np.eye(6, dtype=int) * 10).tolist()
SIZES = [694, 581, 159, 275, 224, 66]
LIKELY = [[count * 9 // 10 if row == column else count // 50 for column in range(6)] for row, count in enumerate(SIZES)]


def read_png(file: Path) -> tuple[int, int, bytes]:
    """Return width, height and the lines of pixels (filtered, as they stand in the file)."""
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: list[tuple[bytes, bytes]] = []
    place = 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind = content[place + 4 : place + 8]
        body = content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length]) == (zlib.crc32(kind + body),)
        chunks.append((kind, body))
        place += 12 + length
    assert [chunks[0][0], chunks[-1][0]] == [b"IHDR", b"IEND"]
    width, height = struct.unpack(">II", chunks[0][1][:8])
    return width, height, zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))


def predictions(confidences: list[float], labels: list[int]) -> Predictions:
    """Predictions of label 0, each with its confidence."""
    rows = len(labels)
    probabilities = np.array([[sure, *[(1 - sure) / 5] * 5] for sure in confidences], dtype=np.float32)
    return Predictions(
        probabilities,
        np.array(labels),
        np.full(rows, 5, np.int32),
        np.zeros(rows, np.bool_),
        unknown_tokens=np.zeros(rows, np.int32),
        seconds=1,
    )


def assert_is_a_picture(file: Path) -> bytes:
    width, height, lines = read_png(file)
    assert width > 2 * 360  # two pixels a point
    assert height > 2 * 360
    assert len(lines) >= height * (width + 1)
    assert len(set(lines)) > 20
    return lines


@pytest.mark.parametrize(
    "confusion",
    [
        EYE,
        LIKELY,
        [[0] * 6, *EYE[1:]],  # no sentence of an emotion
        [[5, 0, 0, 0, 0, 0], *[[0] * 6] * 5],
        [[0] * 6] * 6,
        [[10**9] * 6] * 6,
    ],
)
def test_a_confusion_matrix_becomes_a_picture(tmp_path: Path, confusion: list[list[int]]) -> None:
    draw_confusion(confusion, "test, 60 sentences", tmp_path / "confusion.png")
    assert_is_a_picture(tmp_path / "confusion.png")
    assert [file.name for file in tmp_path.iterdir()] == ["confusion.png"]


def test_what_was_confused_shows(tmp_path: Path) -> None:
    other = [row.copy() for row in EYE]
    other[0], other[1] = other[1], other[0]
    lines = []
    for number, confusion in enumerate((EYE, EYE, other)):
        draw_confusion(confusion, "test", tmp_path / f"{number}.png")
        lines.append(assert_is_a_picture(tmp_path / f"{number}.png"))
    assert lines[0] == lines[1]
    assert lines[0] != lines[2]


@pytest.mark.parametrize(
    ("confidences", "labels"),
    [
        ([0.3, 0.5, 0.9, 0.95, 1.0], [0, 1, 0, 0, 0]),
        ([0.9], [0]),  # one bin, all others empty
        ([1.0, 1.0], [1, 1]),
        ([i / 100 for i in range(20, 100)], [i % 2 for i in range(80)]),
    ],
)
def test_reliability_becomes_a_picture(tmp_path: Path, confidences: list[float], labels: list[int]) -> None:
    draw_reliability(predictions(confidences, labels), "test", tmp_path / "reliability.png")
    assert_is_a_picture(tmp_path / "reliability.png")


def test_the_title_shows_as_it_is(tmp_path: Path) -> None:
    lines = []
    for number, title in enumerate(("test, accuracy 93.00%", "<b>&amp; 'test' – 93 %</b>")):
        draw_reliability(predictions([0.9], [0]), title, tmp_path / f"{number}.png")
        lines.append(assert_is_a_picture(tmp_path / f"{number}.png"))
    assert lines[0] != lines[1]


def test_an_existing_picture_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "confusion.png"
    file.write_text("old")
    draw_confusion(EYE, "test", file)
    assert_is_a_picture(file)
