"""How people type: plain sentences rewritten with what tweets, reviews and support messages have.

Each kind keeps a sentence's emotion. Training rewrites a share of its sentences with them, and evaluation measures
what each of them costs.
"""

import random
import re
from collections.abc import Callable
from typing import Final

# By the number of the label; the last are those of a sentence without a feeling.
_EMOJI = ("😢😭😞💔😔", "😀😊😂🎉🥳", "❤😍🥰💕😘", "😡🤬😠👿😤", "😨😱😰🙀😧", "😲😮🤯😯😳", "📦📅📍📎📞")
_EMOTICONS = ((":(", ":-(", ":'("), (":)", ":-)", ":D"), ("<3", "&lt;3", "<3<3"), (), (), (), ())
_NAMES = ("@anna", "@the_real_bob", "@Support", "@acme_help", "@xX99", "@JohnSmith")
_LINKS = ("http://t.co/a8Xk2", "https://www.example.com/p?id=3&x=1", "www.example.org/news", "http://bit.ly/3fTg9")
_TAGS = ("#monday", "#work", "#life", "#nofilter", "#fail", "#tbt", "#review")
_CONTRACTED = (
    *("i'm", "i've", "don't", "didn't", "can't", "couldn't", "doesn't", "isn't", "wasn't", "wouldn't", "that's"),
    *("it's", "you're", "they're", "won't"),
)
_CONTRACTIONS = {word.replace("'", ""): word for word in _CONTRACTED}
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

Rewrite = Callable[[str, int, random.Random], str]


def _capitals(text: str, _: int, dice: random.Random) -> str:
    how = dice.choice((str.upper, str.title, str.capitalize))
    return how(text)


def _punctuation(text: str, _: int, dice: random.Random) -> str:
    words = text.split()
    for place in dice.sample(range(len(words)), k=min(len(words), 1 + len(words) // 8)):
        words[place] += dice.choice((",", ",", ";", " -", "..."))
    return " ".join(words).rstrip(",;- ") + dice.choice((".", ".", "!", "!!!", "...", "?!"))


def _names(text: str, _: int, dice: random.Random) -> str:
    return f"{dice.choice(_NAMES)} {text}" if dice.random() < 0.7 else f"{text} {dice.choice(_NAMES)}"


def _links(text: str, _: int, dice: random.Random) -> str:
    return f"{text} {dice.choice(_LINKS)}" if dice.random() < 0.7 else f"{dice.choice(_LINKS)} {text}"


def _hashtags(text: str, _: int, dice: random.Random) -> str:
    words = text.split()
    marked = dice.randrange(len(words))
    words[marked] = f"#{words[marked]}"
    return " ".join([*words, *dice.sample(_TAGS, k=dice.randint(0, 2))])


def _emoji(text: str, label: int, dice: random.Random) -> str:
    return f"{text}{dice.choice(('', ' '))}{dice.choice(_EMOJI[label]) * dice.randint(1, 3)}"


def _emoticons(text: str, label: int, dice: random.Random) -> str:
    fitting = _EMOTICONS[label]
    return f"{text} {dice.choice(fitting)}" if fitting else text


def _entities(text: str, _: int, dice: random.Random) -> str:
    text = text.replace(" and ", " &amp; ")
    words = text.split()
    quoted = dice.randrange(len(words))
    words[quoted] = f"&quot;{words[quoted]}&quot;"
    return " ".join(words) + dice.choice(("", " &gt;&gt;", "&nbsp;"))


def _apostrophes(text: str, _: int, dice: random.Random) -> str:
    mark = dice.choice(("'", "’", "&#39;"))
    return " ".join(_CONTRACTIONS.get(word, word).replace("'", mark) for word in text.split())


def _elongations(text: str, _: int, dice: random.Random) -> str:
    """Draw out a vowel in one of the longer words: `so happyyy`."""
    words = text.split()
    longest = sorted(range(len(words)), key=lambda place: -len(words[place]))[:4]
    place = dice.choice(longest)
    vowels = [found.start() for found in re.finditer("[aeiouy]", words[place])]
    if vowels:
        at = vowels[-1]
        words[place] = words[place][:at] + words[place][at] * dice.randint(3, 5) + words[place][at + 1 :]
    return " ".join(words)


def _typos(text: str, _: int, dice: random.Random) -> str:
    """Swap, drop, double or mistype a letter in one word of eight."""
    words = text.split()
    for place in dice.sample(range(len(words)), k=max(1, len(words) // 8)):
        word = words[place]
        if len(word) < 4:
            continue
        at = dice.randrange(1, len(word) - 1)
        neighbours = [row[i + step] for row in _KEYS for i, key in enumerate(row) if key == word[at]
                      for step in (-1, 1) if 0 <= i + step < len(row)] or [word[at]]  # fmt: skip
        words[place] = dice.choice(
            (
                word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[:at] + dice.choice(neighbours) + word[at + 1 :],
            )
        )
    return " ".join(words)


KINDS: Final[dict[str, Rewrite]] = {
    "capitals": _capitals,
    "punctuation": _punctuation,
    "names": _names,
    "links": _links,
    "hashtags": _hashtags,
    "emoji": _emoji,
    "emoticons": _emoticons,
    "entities": _entities,
    "apostrophes": _apostrophes,
    "elongations": _elongations,
    "typos": _typos,
}
"""What can be done to a sentence of an emotion, given as its number; the last argument decides where and how."""


def rewrite(text: str, label: int, dice: random.Random) -> str:
    """Rewrite a sentence in one to three ways, as a message has them together."""
    for kind in dice.sample(sorted(KINDS), k=dice.randint(1, 3)):
        text = KINDS[kind](text, label, dice)
    return text
