import json
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from emotion_udf.errors import WindowHeldError
from emotion_udf.schemas import DAILY, daily_schema
from emotion_udf.storage import open_folder
from emotion_udf.tables import staging
from emotion_udf.tables.publications import Publication, Publications


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_MARKED_WITHIN", timedelta(seconds=0.5))


def publication(run_id: str) -> Publication:
    return Publication(run_id, ["2026-10-05"], -1, {DAILY: 3}, {DAILY: daily_schema([]).jsonValue()})


@pytest.fixture
def publications(tmp_path: Path) -> Publications:
    return Publications(open_folder(str(tmp_path / "_publishing")), patience_s=0)


def test_what_a_killed_run_was_about_to_show_is_found(publications: Publications) -> None:
    begin = (
        "import json, sys\n"
        "from emotion_udf.storage import open_folder\n"
        "from emotion_udf.tables.publications import Publication, Publications\n"
        "Publications(open_folder(sys.argv[1])).begin(Publication(**json.loads(sys.argv[2])))\n"
    )
    told = json.dumps(vars(publication("killed")))
    subprocess.run([sys.executable, "-c", begin, publications.root.path, told], check=True)

    ((place, left),) = publications.left()
    assert left == publication("killed")
    assert left.schema(DAILY) == daily_schema([])
    assert publications.has("killed")
    place.remove()
    assert publications.left() == []
    assert not publications.has("killed")


def test_a_run_that_failed_leaves_it_to_the_next_start_of_the_same_process(publications: Publications) -> None:
    place = publications.begin(publication("failed"))
    assert publications.left() == [], "it goes on"
    publications.give_up(place)
    assert [left for _, left in publications.left()] == [publication("failed")]
    place.remove()


def test_one_that_was_killed_while_it_was_written_down_changed_nothing(publications: Publications) -> None:
    place = publications.begin(publication("cut"))
    (Path(place.path) / "_publication.json").write_text('{"run_id"')
    publications.give_up(place)
    assert [left for _, left in publications.left()] == [None]


def test_one_publishes_at_a_time(publications: Publications) -> None:
    first = publications.begin(publication("first"))
    with pytest.raises(WindowHeldError, match=r"found run \S*first publishing"):
        publications.begin(publication("second"))
    assert not publications.has("second")

    second = Publications(publications.root, patience_s=60)
    ended = threading.Timer(1, first.remove)
    ended.start()
    begun_at = time.monotonic()
    place = second.begin(publication("second"))
    assert time.monotonic() - begun_at > 0.5
    assert publications.has("second")
    place.remove()
    ended.join()
