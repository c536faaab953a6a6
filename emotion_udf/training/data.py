"""The sentences that training learns and validates on, and what keeps them apart."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError
from emotion_udf.settings.labelled import SPLITS, DataSettings, SourceSettings, Split
from emotion_udf.training.formats import read_semicolon
from emotion_udf.training.labels import NEUTRAL, LabelledTexts
from emotion_udf.training.sources import read_source, translate

_EXTRA_SENTENCES = Path(__file__).parent / "extra_sentences.txt"


@dataclass(frozen=True)
class Overlaps:
    """Sentences that stand in the data more than once.

    Attributes:
        leaked: Training rows whose text also stands in validation or test; none of them is trained on.
        leaked_with_another_label: Those of them whose label differs from the one there.
        repeated: Training rows that repeat an earlier one, label and all.
        conflicting: Training texts that have several labels.
        held_out: Texts that stand in both validation and test.
    """

    leaked: int
    leaked_with_another_label: int
    repeated: int
    conflicting: int
    held_out: int


@dataclass(frozen=True)
class Source:
    """A source as it was read.

    Attributes:
        settings: What its sentences count for.
        splits: Its sentences; those of train stand in no held-out split of any source.
    """

    settings: SourceSettings
    splits: dict[Split, LabelledTexts]

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.settings.name

    @property
    def train(self) -> LabelledTexts:
        """Its training sentences, perhaps none."""
        return self.splits.get("train", LabelledTexts([], []))


@dataclass(frozen=True)
class Corpus:
    """All sources together.

    Attributes:
        sources: In the order of the settings.
        overlaps: What was found in them more than once.
    """

    sources: list[Source]
    overlaps: Overlaps = field(default_factory=lambda: Overlaps(0, 0, 0, 0, 0))

    @property
    def train(self) -> LabelledTexts:
        """All training sentences, source by source."""
        return _joined(source.train for source in self.sources)

    def held_out(self, split: Split) -> dict[str, LabelledTexts]:
        """Return the sentences of a split by source, without sources that have none."""
        found = {source.name: source.splits.get(split, LabelledTexts([], [])) for source in self.sources}
        return {name: labelled for name, labelled in found.items() if len(labelled)}

    def map_texts(self, change: Callable[[str], str]) -> "Corpus":
        """Return the same with every text changed."""
        sources = [
            Source(
                source.settings,
                {
                    s: LabelledTexts([change(text) for text in part.texts], part.labels)
                    for s, part in source.splits.items()
                },
            )
            for source in self.sources
        ]
        return Corpus(sources, self.overlaps)

    def training_on(self, chosen: NDArray[np.bool_]) -> "Corpus":
        """Return the same with some of the training sentences, (N,), and all that are held out."""
        sources = []
        first = 0
        for source in self.sources:
            rows = np.flatnonzero(chosen[first : first + len(source.train)])
            first += len(source.train)
            splits = source.splits | ({"train": source.train.take(rows)} if "train" in source.splits else {})
            sources.append(Source(source.settings, splits))
        return Corpus(sources, self.overlaps)

    def per_sentence(self, setting: str) -> NDArray[np.float64]:
        """Return a number of the sources' settings for each training sentence, (N,)."""
        values = [getattr(source.settings, setting) for source in self.sources]
        return np.repeat(np.array(values, dtype=np.float64), [len(source.train) for source in self.sources])


def read_corpus(settings: DataSettings, extra_sentences: int = 0) -> Corpus:
    """Read all sources, and keep held-out sentences out of training.

    Args:
        settings: The sources.
        extra_sentences: How often an epoch shows the project's own sentences; with 0 they are left out.

    Raises:
        InputError: A source is missing or malformed, or there is nothing to train on or to validate.
        UsageError: A source cannot be downloaded.
    """
    sources = [_read(given, settings.root) for given in settings.all_sources()]
    if settings.source is not None:
        _refuse_missing_splits(sources[0])
    train, validation, test = (_joined(s.splits[split] for s in sources if split in s.splits) for split in SPLITS)
    overlaps = _overlaps(train, validation, test)
    if extra_sentences:
        own = SourceSettings(
            name="extra sentences", path=".", per_epoch=extra_sentences, teacher_weight=0.0, license="Apache-2.0"
        )
        sources.append(Source(own, {"train": read_extra_sentences()}))
    corpus = Corpus(_without_held_out(sources), overlaps)
    _refuse_too_little(corpus, settings)
    return corpus


def _read(settings: SourceSettings, root: str) -> Source:
    wanted = [split for split in SPLITS if settings.per_epoch or split != "train"]
    return Source(settings, read_source(settings, root, wanted))


def read_extra_sentences() -> LabelledTexts:
    """Return sentences written for this project: plain ones of every emotion without "i feel", and neutral ones."""
    return read_text_file(_EXTRA_SENTENCES)


def read_text_file(file: Path) -> LabelledTexts:
    """Read `text;label` lines whose labels are emotions or neutral."""
    return translate(read_semicolon(file), SourceSettings(name=file.stem, path=str(file.parent)), file)


def bare(text: str) -> str:
    """Return the words of a text alone, so that copies with other capitals or punctuation are found."""
    return " ".join(re.findall(r"\w+", text.lower())) or text.strip()


def _without_held_out(sources: Iterable[Source]) -> list[Source]:
    sources = list(sources)
    held_out = {bare(text) for s in sources for split in s.splits if split != "train" for text in s.splits[split].texts}
    cleaned = []
    for source in sources:
        rows = (row for row, text in enumerate(source.train.texts) if bare(text) not in held_out)
        splits = source.splits | ({"train": source.train.take(rows)} if "train" in source.splits else {})
        cleaned.append(Source(source.settings, splits))
    return cleaned


def _refuse_missing_splits(source: Source) -> None:
    missing = [split for split in SPLITS if split not in source.splits]
    if missing:
        raise InputError(
            f"expected the splits {', '.join(SPLITS)} in {source.settings.path}, found no {', '.join(missing)}"
        )


def _refuse_too_little(corpus: Corpus, settings: DataSettings) -> None:
    found = sorted(set(corpus.train.labels))
    where = settings.source or "data.sources"
    if len(found) < 2:
        only = EMOTIONS[found[0]] if found and found[0] < NEUTRAL else "one label"
        raise InputError(
            f"expected training sentences of several emotions in {where}, found "
            f"{f'only {only}' if found else 'none that is not in validation or test'}"
        )
    if not any(labelled.with_emotion.texts for labelled in corpus.held_out("validation").values()):
        raise InputError(f"expected sentences of an emotion to validate on in {where}, found none")


def _joined(parts: Iterable[LabelledTexts]) -> LabelledTexts:
    texts: list[str] = []
    labels: list[int] = []
    for part in parts:
        texts += part.texts
        labels += part.labels
    return LabelledTexts(texts, labels)


def _keyed(labelled: LabelledTexts) -> Iterator[tuple[str, int]]:
    return zip(map(bare, labelled.texts), labelled.labels, strict=True)


def _overlaps(train: LabelledTexts, validation: LabelledTexts, test: LabelledTexts) -> Overlaps:
    held_out = {*_keyed(validation), *_keyed(test)}
    held_out_texts = {text for text, _ in held_out}
    pairs = Counter(_keyed(train))
    labels_of = Counter(text for text, _ in pairs)
    return Overlaps(
        leaked=sum(count for (text, _), count in pairs.items() if text in held_out_texts),
        leaked_with_another_label=sum(
            count for pair, count in pairs.items() if pair[0] in held_out_texts and pair not in held_out
        ),
        repeated=sum(count - 1 for count in pairs.values()),
        conflicting=sum(labels > 1 for labels in labels_of.values()),
        held_out=len({*map(bare, validation.texts)} & {*map(bare, test.texts)}),
    )
