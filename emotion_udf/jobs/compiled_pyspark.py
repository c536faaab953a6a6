"""Import pyspark from where Python keeps what it compiles, not from a zip of its sources.

spark-submit puts `SPARK_HOME/python/lib/pyspark.zip` first on the driver's path, and out of a zip each start compiles
every module anew. Where Spark was installed by pip, the very same package lies beside, in a folder.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ZIP: Final = ("python", "lib", "pyspark.zip")


def without_zip(path: Sequence[str]) -> list[str]:
    """Return Python's path without the zip of a pyspark whose folder is on the path, too."""
    return [entry for entry in path if not _is_in_folder(Path(entry), path)]


def _is_in_folder(entry: Path, path: Sequence[str]) -> bool:
    if entry.parts[-3:] != _ZIP:
        return False
    package = entry.parents[2]  # SPARK_HOME, and pip's package
    return package.name == "pyspark" and (package / "__init__.py").is_file() and str(package.parent) in path
