"""The example settings that come with the package: `nightly.toml`, Spark's own, and the recipes of training."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def examples_folder() -> Path:
    """Return the folder of the example settings: the wheel carries them in the package, a checkout beside it."""
    carried = _PACKAGE / "conf"
    return carried if carried.is_dir() else _PACKAGE.parent / "conf"
