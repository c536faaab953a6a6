"""Settings -> the warehouse that they name."""

from pyspark.sql import SparkSession

from emotion_udf.settings.nightly import WarehouseSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.catalog import CatalogWarehouse
from emotion_udf.tables.catalog_tables import CatalogTables
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Warehouse


def open_warehouse(settings: WarehouseSettings, spark: SparkSession) -> Warehouse:
    """Open the warehouse of the settings' `format`; nothing has to be there yet.

    Args:
        settings: Its section of the settings.
        spark: The session, whose catalog a warehouse of its tables is in.

    Raises:
        UsageError: The root is a URI of a file system that is not known here.
    """
    root = open_folder(settings.root, settings.timeout_s)
    if settings.namespace is None:
        return DeltaWarehouse(root)
    return CatalogWarehouse(CatalogTables(spark, settings.namespace, settings.using), root)
