"""Texts -> token ids: the first of the classifier's three phases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from emotion_udf.errors import ModelError


@dataclass(frozen=True)
class Tokens:
    """Token ids of N texts, special tokens included.

    Attributes:
        token_ids: N lists, each at most as long as the model's longest input.
        token_counts: Tokens of each whole text, before truncation.
        unknown_counts: Those of `token_ids` that stand for something that is not in the vocabulary, of each text.
    """

    token_ids: list[list[int]]
    token_counts: list[int]
    unknown_counts: list[int]

    def __getitem__(self, rows: slice) -> "Tokens":
        return Tokens(self.token_ids[rows], self.token_counts[rows], self.unknown_counts[rows])


class MessageTokenizer:
    """The artifact's own `tokenizer.json`, without padding, cut to what the model can read.

    Special tokens that people type (`[SEP]`, `[MASK]`) are read as text. Stock transformers does the same where
    `tokenizer_config.json` sets `split_special_tokens`, as folders that this project trains do; without it, and where
    the file is used by `tokenizers` alone, they are taken for the model's own.

    Args:
        file: A `tokenizer.json`.
        max_tokens: The longest input of the model in tokens, special tokens included.

    Raises:
        ModelError: The file is no tokenizer.
    """

    def __init__(self, file: Path, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises bare exceptions
            raise ModelError(f"expected a tokenizer in {file}, found a file that tokenizers cannot read") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.encode_special_tokens = True  # tokenizer.json itself cannot say so
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self.unknown_id = None if unknown is None else self._tokenizer.token_to_id(unknown)
        self._max_tokens = max_tokens
        self._special_tokens = self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Tokenise `texts` in order."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))  # fast: without character offsets
        token_ids = [encoding.ids for encoding in encodings]  # each `.ids` makes a list, so it is read once
        counts = [len(ids) for ids in token_ids]
        for row, kept in enumerate(counts):
            if kept == self._max_tokens:
                rest = (len(part.ids) - self._special_tokens for part in encodings[row].overflowing)
                counts[row] += sum(rest)
        unknown = -1 if self.unknown_id is None else self.unknown_id  # -1 is no token's id
        return Tokens(token_ids, counts, [ids.count(unknown) for ids in token_ids])
