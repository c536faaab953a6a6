"""Settings of the job that copies a release to PostgreSQL, `conf/postgres.toml`."""

from pydantic import model_validator

from emotion_udf.errors import UsageError
from emotion_udf.settings.nightly import WarehouseSettings
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.settings.section import Section


class PublishSettings(Section):
    """All settings of the copies, `conf/postgres.toml`."""

    warehouse: WarehouseSettings
    postgres: PostgresSettings = PostgresSettings()

    @model_validator(mode="after")
    def _of_delta_tables(self) -> "PublishSettings":
        try:
            self.warehouse.require_delta("the copy in PostgreSQL")
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self
