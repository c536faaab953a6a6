"""Settings -> the warehouse that they name."""

from emotion_udf.settings.nightly import WarehouseSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Warehouse


def open_warehouse(settings: WarehouseSettings) -> Warehouse:
    """Open the warehouse of the settings' `format`; nothing has to be there yet.

    Raises:
        UsageError: The root is a URI of a file system that is not known here.
    """
    return DeltaWarehouse(open_folder(settings.root, settings.timeout_s))
