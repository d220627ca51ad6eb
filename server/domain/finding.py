"""How names are found that people half remember: without case, marks and dashes, by any of their words, with a typo."""

import hashlib
import hmac
import unicodedata
from collections.abc import Iterator
from typing import Final

from server.domain.likeness import fold

WORDS_MAX: Final = 8
"""Words of a name by which it is found: the first ones."""
TAIL_MAX: Final = 48
"""Characters that are kept of a name from one of its words on."""
TYPO_LENGTHS: Final = range(4, 25)
"""How long what is typed may be to be taken for a typo: shorter, it is like too much; longer, it has too many."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def squeezed(text: str) -> str:
    """Return what is left of a text to be found by: small letters without marks, and digits. May be empty."""
    folded = fold(text)
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded)
    return "".join(each for each in folded if each.isalnum())


def words(text: str) -> list[str]:
    """Return the words of what is looked for, without those of which nothing is left."""
    return [word for word in map(squeezed, text.split()) if word]


def tails(name: str) -> list[str]:
    """Return a name from each of its words on, squeezed; the first is the whole name."""
    found: dict[str, None] = {}
    folded = fold(name)
    for place in _beginnings(folded):
        if tail := squeezed(folded[place:])[:TAIL_MAX]:
            found[tail] = None
        if len(found) == WORDS_MAX:
            break
    return list(found)


def _beginnings(text: str) -> Iterator[int]:
    """Yield where words begin: behind what is neither letter nor digit."""
    is_in_word = False
    for place, each in enumerate(text):
        is_part = each.isalnum() or (is_in_word and unicodedata.combining(each) > 0)
        if is_part and not is_in_word:
            yield place
        is_in_word = is_part


def near(word: str) -> list[str]:
    """Return what may have been meant where one character is wrong, missing, too many, or swapped with the next."""
    if len(word) not in TYPO_LENGTHS:
        return []
    letters = dict.fromkeys(_LETTERS + word)
    found: dict[str, None] = {}
    for place in range(len(word) + 1):
        before, behind = word[:place], word[place:]
        if behind:
            found[before + behind[1:]] = None
        if len(behind) > 1:
            found[before + behind[1] + behind[0] + behind[2:]] = None
        for letter in letters:
            found[before + letter + behind] = None
            if behind:
                found[before + letter + behind[1:]] = None
    found.pop(word, None)
    return list(found)


def customer_name(key: bytes, customer_ref: str) -> str:
    """Name the customer of a reservation without saying who it is; empty for none.

    Who does not have the key can neither find the reference of a name nor test a guess.
    """
    if not customer_ref:
        return ""
    return hmac.new(key, f"reservation\0{customer_ref}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
