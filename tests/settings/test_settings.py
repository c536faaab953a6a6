"""What settings accept, whichever way they are loaded."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from emotion_udf.classifier.artifact import ArtifactSource
from emotion_udf.errors import UsageError
from emotion_udf.schemas import RESERVED_COLUMNS
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.labelled import DataSettings
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import (
    GateSettings,
    InputSettings,
    LabelSettings,
    NightSettings,
    StagingSettings,
    WarehouseSettings,
    WindowSettings,
)
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.settings.publish import PublishSettings
from emotion_udf.settings.training import (
    ConfidenceSettings,
    ObjectiveSettings,
    OptimizerSettings,
    SoupSettings,
)

ROOT = Path(__file__).parents[2]


def night(**dimensions: str) -> NightSettings:
    return NightSettings(
        input=InputSettings(path="/lake", dimensions=dimensions), warehouse=WarehouseSettings(root="/warehouse")
    )


@pytest.mark.parametrize("places", [{}, {"path": "/lake", "table": "lake.feedback"}])
def test_input_is_exactly_one_of_a_path_and_a_table(places: Any) -> None:
    with pytest.raises(ValidationError, match=r"one of input\.path and input\.table"):
        InputSettings(**places)


def test_a_table_alone_is_an_input() -> None:
    assert InputSettings(table="lake.feedback").path is None


def test_training_goes_on_from_a_mean_only_where_there_is_one() -> None:
    with pytest.raises(ValidationError, match=r"soup\.of"):
        SoupSettings(train_on=True)
    assert SoupSettings(of=["a"], train_on=True).train_on


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_a_dimension_cannot_take_the_name_of_a_column_of_the_tables(name: str) -> None:
    with pytest.raises(ValidationError, match=f"dimensions {name}"):
        night(**{name: "column"})


@pytest.mark.parametrize("name", ["Source", "2nd", "a-b", "a b", "_a", "", "quelle_ä", "a\n"])
def test_a_dimension_is_named_in_lower_case_words(name: str) -> None:
    with pytest.raises(ValidationError, match="lower-case words joined by _"):
        night(**{name: "column"})


def test_dimensions_keep_the_order_of_the_settings() -> None:
    assert night(source="s", product="p", app_2="a").dimensions == ["source", "product", "app_2"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo"])
def test_a_time_zone_is_an_iana_name(zone: str) -> None:
    assert WindowSettings(timezone=zone).timezone == zone


@pytest.mark.parametrize("zone", ["Berlin", "Europe", "", "../UTC", "/etc/localtime", "Mars/Olympus", "GMT+25"])
def test_another_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="IANA time zone"):
        WindowSettings(timezone=zone)


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (GateSettings, "max_quarantined_share"),
        (GateSettings, "max_refused_file_share"),
        (LabelSettings, "min_confidence"),
    ],
)
@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_share_is_from_0_to_1(section: Any, name: str, share: float) -> None:
    with pytest.raises(ValidationError):
        section(**{name: share})
    assert getattr(section(**{name: 0.0}), name) == 0
    assert getattr(section(**{name: 1.0}), name) == 1


@pytest.mark.parametrize(
    ("root", "own", "staging"),
    [
        ("/warehouse", None, "/warehouse/_staging"),
        ("s3a://bucket/warehouse/", None, "s3a://bucket/warehouse/_staging"),
        ("/warehouse", "/scratch", "/scratch"),
    ],
)
def test_staging_is_below_the_warehouse_unless_it_has_a_place_of_its_own(
    root: str, own: str | None, staging: str
) -> None:
    settings = NightSettings(
        input=InputSettings(path="/lake"),
        warehouse=WarehouseSettings(root=root),
        staging=StagingSettings(root=own),
    )
    assert settings.staging_root == staging


CATALOG = {"format": "catalog", "namespace": "lake.emotions", "root": "/own"}


def test_a_catalog_is_a_schema_and_a_folder_of_the_jobs_own() -> None:
    settings = NightSettings(
        input=InputSettings(path="/lake"), warehouse=WarehouseSettings.model_validate(CATALOG | {"using": "iceberg"})
    )
    assert settings.staging_root == "/own/_staging"
    with pytest.raises(UsageError, match=r'expected warehouse\.format "delta" for emotion-audit, found "catalog"'):
        settings.warehouse.require_delta("emotion-audit")


@pytest.mark.parametrize(
    ("warehouse", "told"),
    [
        ({"format": "catalog", "root": "/own"}, r"expected warehouse\.namespace, such as lake\.emotions"),
        ({"namespace": "lake.emotions", "root": "/own"}, r"expected warehouse\.namespace, such as lake\.emotions"),
        ({"using": "iceberg", "root": "/own"}, r"expected warehouse\.using only where"),
        (CATALOG | {"namespace": "lake.emotions; DROP TABLE x"}, "expected a name such as"),
        (CATALOG | {"using": "parquet OPTIONS"}, "should match pattern"),
    ],
)
def test_a_warehouse_is_delta_tables_or_a_catalog(warehouse: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        WarehouseSettings.model_validate(warehouse)


def test_who_reads_delta_tables_is_not_combined_with_a_catalog() -> None:
    night = {"input": {"path": "/lake"}, "warehouse": CATALOG}
    with pytest.raises(ValidationError, match=r"where dashboard\.out is set"):
        NightSettings.model_validate(night | {"dashboard": {"out": "page.html"}})
    with pytest.raises(ValidationError, match=r"where the section \[postgres\] is set"):
        NightSettings.model_validate(night | {"postgres": {}})
    with pytest.raises(ValidationError, match=r'expected warehouse\.format "delta" for the copy in PostgreSQL'):
        PublishSettings.model_validate({"warehouse": CATALOG})


@pytest.mark.parametrize("name", ["token_budget", "chunk_rows", "rows_per_task"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True])
def test_a_size_is_a_whole_number_from_1_on(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        ClassifierSettings(**{name: value})
    assert getattr(ClassifierSettings.model_validate({name: 1}), name) == 1


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("learning_rate", 0.0, 1e-5),
        ("epochs", 0, 1),
        ("batch_size", 0, 1),
        ("patience", 0, 1),
        ("warmup_share", 1.0, 0.0),
        ("weight_decay", -0.1, 0.0),
        ("average_decay", 1.0, 0.999),
        ("average_decay", -0.1, 0.0),
        ("precision", "fp8", "bf16"),
        ("precision", "bfloat16", "auto"),
        ("device", "gpu", "cuda"),
    ],
)
def test_the_optimiser_refuses_what_cannot_train(name: str, value: Any, good: Any) -> None:
    with pytest.raises(ValidationError):
        OptimizerSettings(**{name: value})
    assert getattr(OptimizerSettings(**{name: good}), name) == good


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("label_smoothing", 1.0, 0.1),
        ("label_smoothing", -0.1, 0.0),
        ("teacher_weight", 1.1, 1.0),
        ("augmentation_share", 1.1, 1.0),
        ("augmentation_share", -0.1, 0.0),
        ("extra_sentences", -1, 0),
        ("teachers", "one", ["one", "two"]),
    ],
)
def test_the_objective_refuses_what_cannot_be_learnt(name: str, value: Any, good: Any) -> None:
    with pytest.raises(ValidationError):
        ObjectiveSettings(**{name: value})
    assert getattr(ObjectiveSettings(**{name: good}), name) == good


@pytest.mark.parametrize("accuracy", [0.0, 1.01, -0.5, float("nan")])
def test_the_accuracy_of_confident_labels_is_above_0_and_at_most_1(accuracy: float) -> None:
    with pytest.raises(ValidationError):
        ConfidenceSettings(accuracy=accuracy)
    assert ConfidenceSettings(accuracy=1.0).accuracy == 1


def test_a_plain_objective_is_the_default() -> None:
    plain = ObjectiveSettings()
    assert (plain.label_smoothing, plain.teachers, plain.extra_sentences, plain.augmentation_share) == (0, [], 0, 0)


def test_labels_have_the_models_threshold_by_default() -> None:
    assert LabelSettings().min_confidence is None


def test_labelled_sentences_need_a_source() -> None:
    with pytest.raises(ValidationError):
        DataSettings()
    settings = DataSettings(source="dair-ai/emotion")
    assert (settings.revision, settings.text, settings.label) == (None, "text", "label")


def test_the_optimiser_starts_from_the_published_models_card() -> None:
    card = OptimizerSettings()
    assert (card.learning_rate, card.batch_size, card.epochs, card.seed) == (5e-5, 16, 3, 42)
    assert (card.beta1, card.beta2, card.epsilon) == (0.9, 0.999, 1e-8)


def test_settings_do_not_change_after_loading() -> None:
    settings = night()
    with pytest.raises(ValidationError, match="frozen"):
        settings.warehouse.root = "/elsewhere"


def test_the_source_holds_what_names_the_model() -> None:
    labels = ["sadness", "joy", "love", "anger", "fear", "surprise"]
    settings = ClassifierSettings(model="owner/name", revision="0" * 40, labels=labels)
    assert settings.source == ArtifactSource("owner/name", "0" * 40, tuple(labels))
    assert ClassifierSettings().source == ArtifactSource("bundled", None, None, None)


def test_the_digest_is_the_same_for_the_same_settings() -> None:
    file = ROOT / "conf" / "nightly.toml"
    digest = load_settings(NightSettings, file).digest()
    assert digest == load_settings(NightSettings, file).digest()
    assert digest == load_settings(NightSettings, file, ["gate.max_quarantined_share=0.05"]).digest()
    assert len(digest) == 16
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "override",
    [
        "labels.min_confidence=0.6",
        "window.timezone=Europe/Berlin",
        "input.dimensions.source=channel",
        "classifier.device=cpu",
        "warehouse.keep_text=true",
    ],
)
def test_the_digest_changes_with_a_setting(override: str) -> None:
    file = ROOT / "conf" / "nightly.toml"
    assert load_settings(NightSettings, file).digest() != load_settings(NightSettings, file, [override]).digest()


def test_the_baseline_is_shares_of_the_six() -> None:
    assert GateSettings(baseline={"joy": 0.6, "anger": 0.4}).baseline == {"joy": 0.6, "anger": 0.4}


@pytest.mark.parametrize("shares", [{"joy": 0.6}, {"joy": 1.5, "anger": -0.5}, {"calm": 1.0}])
def test_another_baseline_is_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GateSettings(baseline=shares)


@pytest.mark.parametrize("expect", ["", "0" * 31, "g" * 32, "0" * 64])
def test_a_model_is_pinned_by_its_fingerprint(expect: str) -> None:
    with pytest.raises(ValidationError):
        ClassifierSettings(expect=expect)
    assert ClassifierSettings(expect="0a" * 16).source.expect == "0a" * 16


@pytest.mark.parametrize(
    "connection",
    [
        "host=db password=hunter2",
        "password = 'hunt er2' host=db",
        "host=db sslpassword=hunter2",
        "postgresql://me:hunter2@db/analytics",
        "postgresql://db/analytics?user=me&password=hunter2",
    ],
)
def test_a_password_is_no_setting_and_is_not_shown(connection: str) -> None:
    with pytest.raises(
        UsageError, match=r"postgres: expected no password in connection, found one; give it"
    ) as refused:
        load_settings(PublishSettings, ROOT / "conf/postgres.toml", [f"postgres.connection={connection}"])
    assert "hunt" not in str(refused.value)


@pytest.mark.parametrize("name", ["Emotions", "1st", "a b", 'a"; DROP', "x" * 64, ""])
def test_a_schema_is_a_plain_word(name: str) -> None:
    with pytest.raises(ValidationError):
        PostgresSettings(schema_name=name)


def test_what_follows_the_release_changes_no_digest() -> None:
    plain = night()
    assert plain.model_copy(update={"postgres": PostgresSettings()}).digest() == plain.digest()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("marquez:5000", "begins with http"),
        ("ftp://marquez", "begins with http"),
        ("http://me:hunter2@marquez", "without a password"),
        ("http://marquez?api_key=hunter2", "without a password"),
    ],
)
def test_a_server_of_lineage_has_an_address_without_secrets(url: str, found: str) -> None:
    with pytest.raises(UsageError, match=found) as refused:
        load_settings(NightSettings, ROOT / "conf/nightly.toml", [f"monitoring.openlineage_url={url}"])
    assert "hunter" not in str(refused.value)


def test_metrics_have_the_ending_that_their_collector_looks_for() -> None:
    with pytest.raises(ValidationError):
        MonitoringSettings(prometheus_file="/textfile/emotions.txt")


@pytest.mark.parametrize("gpus", [0, -1, 1.5, float("nan"), float("inf")])
def test_gpus_of_a_task_are_a_part_of_one_or_whole_ones(gpus: float) -> None:
    with pytest.raises(ValidationError):
        ClassifierSettings(task_gpus=gpus)
    assert [ClassifierSettings(task_gpus=good).task_gpus for good in (0.25, 1, 2)] == [0.25, 1, 2]
