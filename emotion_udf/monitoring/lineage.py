"""OpenLineage events of a night: START, then COMPLETE or FAIL, with its input, its tables, and its gates as assertions.

The driver emits them: Spark's listener cannot see commits that delta-rs makes.
"""

import os
from datetime import datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlparse
from zoneinfo import ZoneInfo

import requests
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    processing_engine_run,
    schema_dataset,
    storage_dataset,
)
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
from openlineage.client.uuid import generate_static_uuid
from pyspark.sql.types import StructType

from emotion_udf.monitoring.attempts import deliver, refused_with, unanswered
from emotion_udf.monitoring.night import Night
from emotion_udf.schemas import (
    DAILY,
    LABELS,
    QUARANTINE,
    TERMS,
    daily_schema,
    labels_schema,
    quarantine_schema,
    terms_schema,
)
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import canonical

KEY_VARIABLE: Final = "OPENLINEAGE_API_KEY"
"""The environment variable that holds the key of the server, where it asks for one."""

_PRODUCER: Final = "https://github.com/emotion-udf/emotion-udf"


def emit_event(night: Night, settings: MonitoringSettings) -> None:
    """Send the event of a night that has begun, or that has ended.

    Raises:
        UndeliveredError: The server did not take it.
    """
    event = event_of(night, settings)
    key = os.environ.get(KEY_VARIABLE)
    transport = HttpTransport(
        HttpConfig(
            url=settings.openlineage_url or "",
            timeout=settings.request_timeout_s,
            auth=ApiKeyTokenProvider({"api_key": key}) if key else TokenProvider({}),
            retry={"total": 0},  # attempts are counted in one place
        )
    )

    def send() -> None:
        try:
            transport.emit(event)
        except requests.HTTPError as error:
            response = error.response
            raise (unanswered(error) if response is None else refused_with(response.status_code)) from error
        except requests.RequestException as error:
            raise unanswered(error) from error

    try:
        deliver(send, settings.attempts)
    finally:
        transport.close()


def event_of(night: Night, settings: MonitoringSettings) -> RunEvent:
    """Return the event that tells of a night: START while it goes on, then COMPLETE or FAIL."""
    set_producer(_PRODUCER)
    ended = RunState.COMPLETE if night.is_published else RunState.FAIL
    return RunEvent(
        eventTime=night.at.isoformat(),
        eventType=RunState.START if night.outcome is None else ended,
        run=Run(_run_uuid(night), _run_facets(night)),
        job=Job(settings.openlineage_namespace, settings.name, _job_facets()),
        inputs=[_input(night, night.settings, settings)] if night.settings else [],
        outputs=_outputs(night, night.settings, settings) if night.settings else [],
        producer=_PRODUCER,
    )


def dataset_name(location: str) -> tuple[str, str]:
    """Return the namespace and the name of a place, as OpenLineage's naming of datasets has them."""
    place = canonical(location)
    if place.startswith("/"):
        return "file", place
    parts = urlparse(place)
    scheme = "s3" if parts.scheme in ("s3a", "s3n") else parts.scheme
    path = parts.path.strip("/") if scheme in ("s3", "gs") else parts.path
    return f"{scheme}://{parts.netloc}", path or "/"


def _run_uuid(night: Night) -> str:
    """Return the same name for every event of a run."""
    if night.run is None:
        return str(generate_static_uuid(night.at, b"no run"))
    return str(generate_static_uuid(night.run["started_at"], night.run["run_id"].encode()))


def _run_facets(night: Night) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if night.run is not None:
        spark = night.run["versions"].get("pyspark", "unknown")
        zone = ZoneInfo(night.run["timezone"])
        first, last = (datetime.combine(night.run[name], time(), zone) for name in ("from_date", "to_date"))
        end = (last + timedelta(days=1)).isoformat()
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(first.isoformat(), end)
        facets["processing_engine"] = processing_engine_run.ProcessingEngineRunFacet(spark, "spark")
    if night.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(night.error, "python")
    return facets


def _job_facets() -> dict[str, Any]:
    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "EMOTION_UDF", "JOB")}


def _input(night: Night, of_night: NightSettings, settings: MonitoringSettings) -> InputDataset:
    """Describe the input by the columns that are read, and by what the gates found of the night."""
    read = of_night.input
    columns = {read.columns.id: "id", read.columns.text: "text", read.columns.created_at: "created_at"}
    columns |= {column: f"dimension {name}" for name, column in read.dimensions.items()}
    fields = [schema_dataset.SchemaDatasetFacetFields(name, description=meaning) for name, meaning in columns.items()]
    namespace, name = (
        (settings.openlineage_namespace, read.table or "") if read.path is None else dataset_name(read.path)
    )
    found: dict[str, Any] = {}
    if night.run is not None and night.outcome is not None:
        found["inputStatistics"] = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            night.run["rows_read"], night.run["input_bytes"], len(night.run["input_files"])
        )
        found["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            [_assertion(gate) for gate in night.gates]
        )
    facets: dict[str, Any] = {"schema": schema_dataset.SchemaDatasetFacet(fields)}
    return InputDataset(namespace, name, facets=facets, inputFacets=found)


def _assertion(gate: Any) -> data_quality_assertions_dataset.Assertion:
    side = "at least" if gate["name"].startswith("fewest_") else "at most"
    return data_quality_assertions_dataset.Assertion(
        assertion=gate["name"],
        name=gate["name"],
        success=gate["passed"] and not gate["forced"],
        severity="warn" if gate["forced"] else "error",
        expected=f"{side} {gate['limit']:.6g}",
        actual=None if gate["value"] is None else f"{gate['value']:.6g}",
    )


def _outputs(night: Night, of_night: NightSettings, settings: MonitoringSettings) -> list[OutputDataset]:
    """Describe the tables of a release, and of a published night their versions and rows."""
    run = night.run if night.is_published else None
    rows = {LABELS: run["rows_labelled"], QUARANTINE: run["rows_quarantined"] + run["refused_files"]} if run else {}
    versions = night.release.versions if night.release and night.is_published else {}
    dimensions = of_night.dimensions
    tables = {
        LABELS: labels_schema(dimensions, of_night.warehouse.keep_text),
        DAILY: daily_schema(dimensions),
        QUARANTINE: quarantine_schema(),
        TERMS: terms_schema(of_night.term_dimensions),
    }
    described = []
    for table, schema in tables.items():
        facets: dict[str, Any] = {"schema": _schema_facet(schema)}
        namespace, name = settings.openlineage_namespace, f"{of_night.warehouse.namespace}.{table}"
        if of_night.warehouse.format == "delta":
            facets["storage"] = storage_dataset.StorageDatasetFacet("delta", "parquet")
            namespace, name = dataset_name(f"{of_night.warehouse.root.rstrip('/')}/{table}")
        if table in versions:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(versions[table]))
        found: dict[str, Any] = {}
        if table in rows:
            found["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows[table])
        described.append(OutputDataset(namespace, name, facets=facets, outputFacets=found))
    return described


def _schema_facet(schema: StructType) -> schema_dataset.SchemaDatasetFacet:
    fields = [schema_dataset.SchemaDatasetFacetFields(field.name, field.dataType.simpleString()) for field in schema]
    return schema_dataset.SchemaDatasetFacet(fields)
