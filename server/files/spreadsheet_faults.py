"""What spreadsheets make of cells that nobody meant so: found, and refused with what to do."""

import re
from collections.abc import Sequence
from typing import Final

from server.files.column_words import Role, plain

_ERROR: Final = re.compile(
    r"#(?:N/A|NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|YOK|AD\?|BAŞV!|DEĞER!|SAYI/0!|SAYI!|BOŞ!"
    r"|NUME\?|VALOARE!|NUL!|#+)"
)
_POWER: Final = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{1,3}", re.ASCII)
_MONTHS: Final = (
    *("oca", "şub", "mar", "nis", "may", "haz", "tem", "ağu", "eyl", "eki", "kas", "ara"),
    *("jan", "feb", "apr", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    *("ian", "mai", "iun", "iul"),
)
_DATE: Final = re.compile(
    rf"[0-9]{{1,4}}[-./ ](?:{'|'.join(_MONTHS)})\.?|(?:{'|'.join(_MONTHS)})[-./ ][0-9]{{1,4}}"
    r"|[0-9]{1,2}([./-])[0-9]{1,2}\1(?:19|20)[0-9]{2}(?: [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?",
    re.IGNORECASE,
)
_MISREAD: Final = re.compile("[ÃÄÅÈ][\x80-\x9f‚ƒ‡–œž˜™š›Ÿ§±°¶¼¢®]|Ă[Ľ¶§]|Ĺ[źž]|\ufffd")
"""A letter of two bytes in UTF-8 that was read as two letters, and what stands for one that was lost."""
_SUSPECT: Final = re.compile(r"^['’=#]|[Ee]\+|^[0-9]{1,4}[-./ ]|^[^\W\d]{3}[-./ ][0-9]|[ÃÄÅÈĂĹ\ufffd]")
"""What every fault below begins with or holds: nearly all cells have nothing of it."""
_TOTAL: Final = re.compile(
    r"(?:genel_|ara_|grand_|sub_?)?(?:toplam|total|totals)(?:_general|_genel|_partial)?(?:_satir)?|totaluri|icmal"
)
_MAY_BE_TOTAL: Final = re.compile("top|tot|icm", re.IGNORECASE)
_AS_TEXT: Final = "format the column as text, and enter it again"


def spreadsheet_fault(value: str, role: Role, *, as_written: bool = False) -> str:
    """Return what is wrong with a cell and how it is mended; empty where nothing is.

    ``as_written``: names are meant that only look so.
    """
    if not _SUSPECT.search(value):
        return ""
    if _ERROR.fullmatch(value):
        return f"is {value}, an error of a spreadsheet: correct it there, or widen the column if it shows #### only"
    if role == "text":
        return ""
    is_name = role in {"name", "place"}
    return _damage(value) or ("" if as_written and is_name else _looks(value, role, is_name=is_name))


def _damage(value: str) -> str:
    """Say what was lost for sure."""
    if _MISREAD.search(value):
        return "was saved in a wrong encoding, some letters are two now: export the file again, as “CSV UTF-8”"
    if _POWER.fullmatch(value):
        return f"is {value}, a number that a spreadsheet rounded: {_AS_TEXT}, with all its digits"
    return ""


def _looks(value: str, role: Role, *, is_name: bool) -> str:
    """Say what looks as if a spreadsheet had made it; a name may be meant so."""
    meant = ". If it is meant, add --as-written" if is_name else ""
    if value.startswith('="') and value.endswith('"'):  # which no name may be, even as it is written
        return "is a formula: write what stands between the quotation marks, in a column of text"
    if value.startswith("="):
        return f"is a formula: copy the column, and paste it as values{meant}"
    if value.startswith(("'", "’")):
        return f"begins with an apostrophe, as spreadsheets mark text: remove it{meant}"
    if role != "time" and _DATE.fullmatch(value):
        return f"is {value}, of which a spreadsheet made a date: {_AS_TEXT}{meant}"
    return ""


def is_total(cells: Sequence[str]) -> bool:
    """Whether a row is the sum of those above it: no article, and no place."""
    first = next((cell for cell in cells if cell), "")
    return _MAY_BE_TOTAL.search(first) is not None and _TOTAL.fullmatch(plain(first)) is not None
