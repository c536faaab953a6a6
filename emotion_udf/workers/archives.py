"""A model folder that Spark brings to each node: `--archives FILE#NAME` unpacks it beside the processes of the job."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pyspark import SparkFiles

from emotion_udf.classifier.artifact import BUNDLED, ArtifactSource


def as_unpacked(source: ArtifactSource) -> ArtifactSource:
    """Return a source with its folder's place on this node.

    A folder that is there under its own path counts first. Where there is none, it is the one of its name that Spark
    has unpacked; so the driver may have it elsewhere than the executors. What Spark has not unpacked stays as it is.
    """
    model = Path(source.model)
    if source.model == BUNDLED or source.revision is not None or model.is_dir():
        return source
    found = next((place / model.name for place in _places() if (place / model.name).is_dir()), None)
    return replace(source, model=str(found)) if found else source


def _places() -> Iterator[Path]:
    """Yield where Spark unpacks archives: its own folder of them, and on YARN where each process works."""
    with suppress(AssertionError):  # no session, or one of a Connect server, which keeps archives to itself
        yield Path(SparkFiles.getRootDirectory())
    yield Path.cwd()
