"""A range of days, each as a run of its own."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.artifact import BUNDLED, ArtifactSource, open_artifact
from emotion_udf.errors import EmotionUdfError, GateError, InputError, UsageError, WindowHeldError
from emotion_udf.nightly.backfill import backfill, published_days
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecord, RunRecorder
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.rollback import plan_rollback, roll_back
from emotion_udf.window import Window
from tests.helpers.nights import publish_night

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
RANGE = Window(D5, D7, "Europe/Berlin")


class Days:
    """Runs days by noting them; some of them fail."""

    def __init__(self, failing: dict[date, BaseException] | None = None) -> None:
        self.failing = failing or {}
        self.windows: list[Window] = []

    def __call__(self, window: Window) -> None:
        self.windows.append(window)
        if window.first in self.failing:
            raise self.failing[window.first]

    @property
    def days(self) -> list[date]:
        return [window.first for window in self.windows]


def test_each_day_is_a_run_of_its_own_in_order() -> None:
    run = Days()
    backfill(RANGE, run)
    assert run.windows == [Window(day, day, "Europe/Berlin") for day in (D5, D6, D7)]


def test_days_that_are_done_are_left_out() -> None:
    run = Days()
    backfill(RANGE, run, done={D6, D7 + timedelta(days=1)})
    assert run.days == [D5, D7]


def test_the_others_go_on_after_a_day_that_failed() -> None:
    run = Days({D5: GateError("refused")})
    with pytest.raises(GateError, match=r"1 failing: 2026-10-05"):
        backfill(RANGE, run)
    assert run.days == [D5, D6, D7]


@pytest.mark.parametrize(
    ("failures", "worst"),
    [
        ([GateError("x"), WindowHeldError("x")], GateError),
        ([WindowHeldError("x"), InputError("x")], InputError),
        ([InputError("x"), ValueError("x")], EmotionUdfError),
    ],
)
def test_the_exit_code_is_that_of_the_worst_day(failures: list[BaseException], worst: type[EmotionUdfError]) -> None:
    with pytest.raises(EmotionUdfError) as caught:
        backfill(RANGE, Days(dict(zip((D5, D7), failures, strict=True))))
    assert type(caught.value) is worst


def test_what_a_foreign_error_says_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    secret = "i hate my neighbour"  # noqa: S105
    with pytest.raises(EmotionUdfError) as caught:
        backfill(RANGE, Days({D6: ValueError(secret)}))
    assert secret not in f"{caught.value} {caplog.text}"
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("stopping", [UsageError("a typing error"), KeyboardInterrupt()])
def test_wrong_settings_and_interruptions_stop_it(stopping: BaseException) -> None:
    run = Days({D6: stopping})
    with pytest.raises(type(stopping)):
        backfill(RANGE, run)
    assert run.days == [D5, D6]


@given(st.sets(st.sampled_from([D5, D6, D7])), st.sets(st.sampled_from([D5, D6, D7])))
def test_every_day_that_is_not_done_is_tried_once(done: set[date], failing: set[date]) -> None:
    run = Days({day: InputError("x") for day in failing})
    failed = failing - done
    with pytest.raises(InputError, match=f"{len(failed)} failing") if failed else nullcontext():
        backfill(RANGE, run, done)
    assert run.days == sorted({D5, D6, D7} - done)


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


@pytest.fixture
def publish(warehouse: DeltaWarehouse) -> Callable[[str, date, NightSettings], None]:
    """Publish a day and record its run, by the bundled model."""
    artifact = open_artifact(ArtifactSource(BUNDLED))

    def publish_day(run_id: str, day: date, settings: NightSettings) -> None:
        publish_night(warehouse, run_id, [day])
        recorder = RunRecorder(RunContext(settings, Window(day, day), run_id=run_id))
        recorder.note(artifact=artifact)
        warehouse.append_run(recorder.mark_published().row())

    return publish_day


Publish = Callable[[str, date, NightSettings], None]


def test_what_is_published_is_found(warehouse: DeltaWarehouse, night: NightSettings, publish: Publish) -> None:
    assert published_days(warehouse, night) == set()
    publish("r5", D5, night)
    publish("r7", D7, night)
    assert published_days(warehouse, night) == {D5, D7}


def test_days_of_other_settings_are_not_done(warehouse: DeltaWarehouse, night: NightSettings, publish: Publish) -> None:
    other = night.model_copy(update={"classifier": ClassifierSettings(chunk_rows=7)})
    publish("r5", D5, night)
    publish("r6", D6, other)
    publish("r5-again", D5, other)
    assert published_days(warehouse, night) == set()
    assert published_days(warehouse, other) == {D5, D6}


def test_a_day_that_was_rolled_back_is_not_done(
    warehouse: DeltaWarehouse, night: NightSettings, publish: Publish
) -> None:
    publish("r5", D5, night)
    publish("r6", D6, night)
    publish("r6-again", D6, night)
    roll_back(warehouse, RELEASED, plan_rollback(warehouse, RELEASED, 2), "back")
    assert published_days(warehouse, night) == {D5}


def test_a_run_that_failed_and_one_that_is_not_on_record_are_not_done(
    warehouse: DeltaWarehouse, night: NightSettings
) -> None:
    publish_night(warehouse, "r5", [D5])
    warehouse.append_run(RunRecord(RunContext(night, Window(D6, D6), run_id="r6")).row())
    assert published_days(warehouse, night) == set()
