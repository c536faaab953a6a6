"""Settings of training, `conf/train.toml`; they need no pyspark."""

from pydantic import Field, model_validator

from emotion_udf.classifier.device import Device, TrainingPrecision
from emotion_udf.settings.labelled import DataSettings
from emotion_udf.settings.section import Section


class BaseModelSettings(Section):
    """The encoder that training starts from."""

    name: str = Field(description="what it is called where it was published, for the card")
    license: str = Field(description="its licence, for the card")
    model: str = Field(description="a DistilBERT or BERT encoder: a folder, or a Hub id")
    revision: str | None = Field(default=None, description="the branch, tag or commit of a Hub id")
    message_rules: bool = Field(
        default=False, description="teach the tokenizer to read links, @names, HTML entities, emoticons and emoji"
    )


class OptimizerSettings(Section):
    """AdamW with a linear schedule. The defaults are those of the published model's card."""

    learning_rate: float = Field(default=5e-5, gt=0, description="the highest of the schedule")
    batch_size: int = Field(default=16, ge=1, description="sentences a step")
    epochs: int = Field(default=3, ge=1, description="passes over the training sentences")
    patience: int | None = Field(
        default=None, ge=1, description="stop after so many epochs that validate no better than an earlier one"
    )
    warmup_share: float = Field(default=0.0, ge=0, lt=1, description="of all steps, in which the learning rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description="of matrices; biases and norms are not decayed")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    epsilon: float = Field(default=1e-8, gt=0, description="keeps a step finite")
    average_decay: float = Field(
        default=0.0, ge=0, lt=1, description="keep a moving average of the weights with this decay a step; 0 keeps none"
    )
    seed: int = Field(default=42, description="of the new head, dropout, augmentation and the order of sentences")
    device: Device = Field(default="auto", description="auto, cpu or cuda")
    precision: TrainingPrecision = Field(
        default="auto",
        description="of the matrix products in training; auto is bf16, or fp16, where the device computes in it, else "
        "fp32; evaluation is in fp32",
    )


class ObjectiveSettings(Section):
    """The training objective: cross-entropy with label smoothing and distillation."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="probability spread evenly over all labels")
    teachers: list[str] = Field(
        default=[], description="folders of teachers or classifiers whose mean probabilities are learnt, too"
    )
    teacher_weight: float = Field(default=0.5, ge=0, le=1, description="of the teachers against the labels")
    teacher_temperature: float = Field(
        default=1.0, gt=0, description="of the teachers' probabilities among the emotions; below 1 they are surer"
    )
    extra_sentences: int = Field(
        default=0, ge=0, description="how often an epoch shows the sentences that were written for this project"
    )
    augmentation_share: float = Field(
        default=0.0, ge=0, le=1, description="of the training sentences, rewritten as people type in each epoch"
    )


class TeacherSettings(Section):
    """Training of a teacher instead of a classifier: it leaves soft labels for `objective.teachers`."""

    folds: int = Field(
        default=0,
        ge=0,
        description="with a number above 0, a teacher is trained, on all but one of so many parts of the sentences; it "
        "labels that part, and unlabelled sentences; its base may be any encoder of transformers",
    )
    fold: int = Field(default=0, ge=0, description="the part that this teacher is not trained on, from 0")

    @model_validator(mode="after")
    def _an_existing_fold(self) -> "TeacherSettings":
        if self.folds == 1 or (self.folds and self.fold >= self.folds):
            raise ValueError("expected at least two folds, and teacher.fold below teacher.folds")
        return self


class SoupSettings(Section):
    """A model soup (Wortsman et al., 2022): the mean of several classifiers, as large and as fast as one of them."""

    of: list[str] = Field(
        default=[],
        description="folders of classifiers that were trained from this base; the model is the mean of their weights, "
        "and nothing more is trained",
    )
    about: str = Field(default="", description="what the classifiers are, as a sentence for the card")
    weights: list[float] = Field(default=[], description="of each classifier in the mean; by default all the same")
    train_on: bool = Field(default=False, description="train on from that mean, as the other sections say")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "SoupSettings":
        if self.train_on and not self.of:
            raise ValueError("expected folders in soup.of to train on from, found none")
        if self.weights and (len(self.weights) != len(self.of) or sum(self.weights) <= 0):
            raise ValueError("expected a weight for each of soup.of in soup.weights, with a sum above 0")
        return self


class ConfidenceSettings(Section):
    """The threshold of confident labels."""

    accuracy: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="is_confident starts at the lowest confidence above which validation is so often right, in every "
        "source",
    )
    max_neutral: float = Field(
        default=1.0, ge=0, le=1, description="the largest share of a source's neutral sentences that may count as sure"
    )


class OutputSettings(Section):
    """The model folder that training writes."""

    folder: str = Field(description="the model folder to write; it must not exist yet")
    checkpoints: bool = Field(
        default=True, description="keep the state of each epoch, so that an interrupted training can go on"
    )
    license: str = Field(
        default="educational-and-research-use", description="the licence of the weights, which follows from the data's"
    )


class TrainSettings(Section):
    """All settings of training, `conf/train.toml`."""

    base: BaseModelSettings
    data: DataSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    teacher: TeacherSettings = TeacherSettings()
    soup: SoupSettings = SoupSettings()
    confidence: ConfidenceSettings = ConfidenceSettings()
    output: OutputSettings
