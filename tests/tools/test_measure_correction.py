from pathlib import Path

import pytest

from emotion_udf.dashboard.page import part
from tools.measure_correction import label_comments, measure


@pytest.mark.slow
def test_the_correction_is_the_default_only_where_it_halves_the_error_of_counting(data: Path) -> None:
    comments = label_comments(data)

    found = measure(comments.labels, comments.probabilities, mixes=200, size=10_000, seed=1)

    assert found.corrected < found.counting
    assert ('standardShares: "corrected"' in part("main.js")) == (found.corrected <= found.counting / 2)
