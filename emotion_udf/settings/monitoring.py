"""The `[monitoring]` section: who else is told of a night."""

from pydantic import Field, field_validator

from emotion_udf.masking import holds_secret
from emotion_udf.settings.section import Section


class MonitoringSettings(Section):
    """What other systems are told of a night; all off by default, and nothing of it can fail a night or hold it up.

    The text file and the lineage need the extra `monitoring`.
    """

    name: str = Field(
        default="emotions",
        pattern=r"^[\w.-]+$",
        description="what the night is called there; nights of several warehouses need names of their own",
    )
    prometheus_file: str | None = Field(
        default=None,
        pattern=r"\.prom$",
        description="the text file of metrics, replaced by each night, in the folder of node_exporter's textfile "
        "collector",
    )
    json_lines: str | None = Field(
        default=None, min_length=1, description="the file that gets one line of JSON a night; - is standard output"
    )
    openlineage_url: str | None = Field(
        default=None,
        description="the server that takes OpenLineage events, such as http://marquez:5000; its key, if it asks for "
        "one, is in the environment variable OPENLINEAGE_API_KEY",
    )
    openlineage_namespace: str = Field(default="emotion-udf", min_length=1, description="the job's namespace there")
    webhook: bool = Field(
        default=False,
        description="tell of refused and failed nights by a POST of JSON to the address in the environment variable "
        "EMOTION_UDF_WEBHOOK_URL",
    )
    webhook_url_file: str | None = Field(
        default=None, min_length=1, description="a file that holds this address, in the variable's place"
    )
    attempts: int = Field(default=3, ge=1, le=10, description="how often something is sent that a server does not take")
    request_timeout_s: float = Field(default=5.0, gt=0, description="seconds to wait for its answer, each time")
    wait_s: float = Field(
        default=15.0, ge=0, description="seconds that the end of the job waits for all of this; then it is left undone"
    )

    @field_validator("openlineage_url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("expected an address that begins with http:// or https://")
        if url is not None and holds_secret(url):
            raise ValueError("expected an address without a password or a key")
        return url
