"""Settings of the job that copies a release to PostgreSQL, `conf/postgres.toml`."""

from emotion_udf.settings.nightly import WarehouseSettings
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.settings.section import Section


class PublishSettings(Section):
    """All settings of the copies, `conf/postgres.toml`."""

    warehouse: WarehouseSettings
    postgres: PostgresSettings = PostgresSettings()
