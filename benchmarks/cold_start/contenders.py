"""Who is started, and by what. Needs the standard library only."""

from dataclasses import dataclass
from typing import Final, Literal

Udf = Literal["emotion-udf", "hf-pipeline", "spark", "emotion-udf-traced"]


@dataclass(frozen=True)
class Contender:
    """A job of one row and what starts it.

    Args:
        udf: What labels the row. `spark` labels nothing: a pandas UDF that returns what it is given; a traced worker
            notes when it got where.
        prepared: Whether tools/submit.sh starts it, prepared before; otherwise it is plain spark-submit.
    """

    udf: Udf
    prepared: bool = False

    @property
    def name(self) -> str:
        """What results call it."""
        return f"{self.udf}{'-prepared' * self.prepared}"


OURS: Final = Contender("emotion-udf")
OURS_PREPARED: Final = Contender("emotion-udf", prepared=True)
PIPELINE: Final = Contender("hf-pipeline")
PIPELINE_PREPARED: Final = Contender("hf-pipeline", prepared=True)
SPARK: Final = Contender("spark")
SPARK_PREPARED: Final = Contender("spark", prepared=True)
TRACED: Final = Contender("emotion-udf-traced", prepared=True)

CONTENDERS: Final = (OURS_PREPARED, PIPELINE, OURS, PIPELINE_PREPARED, SPARK_PREPARED, SPARK, TRACED)
