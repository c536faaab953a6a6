"""The `[classifier]` section, which every job that loads a model shares."""

from pydantic import Field, field_validator

from emotion_udf.classifier.artifact import BUNDLED, ArtifactSource
from emotion_udf.classifier.device import Device, Precision
from emotion_udf.settings.section import Section


class ClassifierSettings(Section):
    """The classifier that labels the messages, and how it is fed."""

    model: str = Field(
        default=BUNDLED, description="'bundled', a folder that every node has or that --archives brings, or a Hub id"
    )
    revision: str | None = Field(default=None, description="the 40-digit commit of a Hub id")
    labels: list[str] | None = Field(
        default=None, description="the model's labels in its order, where its configuration only says LABEL_0 … LABEL_5"
    )
    expect: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{32}$",
        description="the fingerprint that the model must have, as model_fingerprint in runs; any by default",
    )
    device: Device = Field(default="auto", description="auto, cpu or cuda")
    precision: Precision = Field(
        default="auto",
        description="what the network computes in: fp32, bf16, fp16 (GPU), int16 (CPU with AVX2), or auto, the fastest "
        "that the device has; where its labels are not those of fp32, fp32 is used",
    )
    task_gpus: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="GPUs that each scoring task asks Spark for, such as 0.25, and no other task; for clusters whose "
        "executors have GPUs by Spark's own settings (docs/deploy.md)",
    )
    token_budget: int | None = Field(
        default=None, ge=1, description="the most tokens in one forward pass; by default what suits the device"
    )
    chunk_rows: int = Field(default=2_500, ge=1, description="rows a worker gathers before it cuts batches by length")
    rows_per_task: int = Field(
        default=20_000,
        ge=1,
        description="distinct texts of one Spark task, about; more where a core had over a hundred",
    )

    @field_validator("task_gpus")
    @classmethod
    def _is_part_or_whole(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("expected a part of one GPU or a whole number")
        return gpus

    @property
    def source(self) -> ArtifactSource:
        """The model folder's place."""
        return ArtifactSource(self.model, self.revision, tuple(self.labels) if self.labels else None, self.expect)
