"""Follows docs/how-to/day.md: each sentence of its numbered steps is done on the page, or in the world around it.

A sentence that nobody knows how to do is an error, so the page says nothing that is not done.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from playwright.async_api import FilePayload, Locator, Page, expect

from adapters.testing.order_side import OrderSide
from tests.conftest import wait_until
from tests.console.pages import SOON_MS

PAGE: Final = (Path(__file__).parents[2] / "docs" / "how-to" / "day.md").read_text("utf-8")
_ERRAND: Final = re.compile(r"^## \d+\. (.+)\n", re.MULTILINE)
_FILE: Final = re.compile(r"`([\w-]+\.csv)`[^`]*\n\n```csv\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_STEP: Final = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_MARKED: Final = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*")


def blocks(language: str) -> list[str]:
    """Return the page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def errands() -> dict[str, list[str]]:
    """Return the sentences of each errand's steps, by its title."""
    _, *parts = _ERRAND.split(PAGE)
    return {
        title: [sentence for step in _STEP.findall(text) for sentence in _sentences(step)]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _sentences(step: str) -> list[str]:
    """Cut a step at its full stops; one in a value or a name is none."""
    hidden = _MARKED.sub(lambda found: found[0].replace(".", "\0"), step)
    return [each.replace("\0", ".").removesuffix(".") for each in re.split(r"(?<=\.) ", hidden)]


class Around(NamedTuple):
    """What is around the person: the page, the server's address, a key, the channels, and SKUs by key of each."""

    page: Page
    url: str
    key: str
    channels: dict[str, OrderSide]
    keys: dict[str, dict[str, str]]


Doing = Callable[..., Awaitable[None]]
_DOINGS: Final[list[tuple[re.Pattern[str], Doing]]] = []


async def follow(around: Around, sentence: str) -> None:
    """Do what a sentence says."""
    for pattern, do in _DOINGS:
        if found := pattern.fullmatch(sentence):
            await do(around, *found.groups())
            return
    raise AssertionError(f"nobody knows how to do this: {sentence}")


def says(sentence: str) -> Callable[[Doing], Doing]:
    """Register what does a sentence: `x` in it stands for a value, **x** for a name on the page, n for a number."""
    parts = {"`x`": r"`([^`]+)`", "**x**": r"\*\*(.+?)\*\*", "n": r"(\d+)", "…": r"(.+)"}
    pattern = "".join(parts.get(part, re.escape(part)) for part in re.split(r"(`x`|\*\*x\*\*|\bn\b|…)", sentence))

    def register(do: Doing) -> Doing:
        _DOINGS.append((re.compile(pattern), do))
        return do

    return register


def _here(around: Around) -> Locator:
    """Where names are looked for: in the dialog that is open, else on the page without its menu."""
    page = around.page
    return page.locator("dialog[open]").or_(page.locator("body:not(:has(dialog[open])) :is(main, footer)"))


# -- on the page


@says("Open `x` in a browser")
async def _open(around: Around, address: str) -> None:
    assert address.endswith("/console")
    await around.page.goto(f"{around.url}/console")


@says("Paste the key into **x**")
async def _paste(around: Around, label: str) -> None:
    await _type(around, around.key, label)


@says("Type `x` into **x**")
async def _type(around: Around, text: str, label: str) -> None:
    await _here(around).get_by_label(label, exact=True).first.fill(text, timeout=SOON_MS)


@says("Go to **x**")
async def _go(around: Around, screen: str) -> None:
    await around.page.locator("header nav").get_by_role("link", name=screen, exact=True).click(timeout=SOON_MS)


@says("Press **x**")
async def _press(around: Around, name: str) -> None:
    written = re.compile(rf"^\s*{re.escape(name)}\s*$")
    button = _here(around).locator("button:visible, a:visible").filter(has_text=written).first
    await button.click(timeout=SOON_MS)


@says("Press **x** under `x` in the row of `x`")
async def _press_in_row(around: Around, name: str, column: str, row: str) -> None:
    cell = around.page.locator("main tr").filter(has_text=row).first.locator(f'td[data-title="{column}"]')
    await cell.locator("button").filter(has_text=name).click(timeout=SOON_MS)


@says("Open the row of `x`")
async def _open_row(around: Around, row: str) -> None:
    await around.page.locator("main tr").filter(has_text=row).first.locator("a").first.click(timeout=SOON_MS)


@says("Choose **x** as **x**")
async def _choose(around: Around, choice: str, label: str) -> None:
    field = _here(around).get_by_label(label, exact=True).first
    await field.select_option(label=choice, timeout=SOON_MS)


@says("Choose `x` as **x**")
async def _choose_value(around: Around, choice: str, label: str) -> None:
    await _choose(around, choice, label)


@says("Choose the file `x`")
async def _choose_file(around: Around, name: str) -> None:
    content = dict(_FILE.findall(PAGE))[name].encode()
    file: FilePayload = {"name": name, "mimeType": "text/csv", "buffer": content}
    await around.page.locator("input[type=file]").set_input_files([file], timeout=SOON_MS)


@says("Tick **x**")
async def _tick(around: Around, label: str) -> None:
    await around.page.get_by_label(label, exact=True).check(timeout=SOON_MS)


@says("Scan `x`")
async def _scan(around: Around, code: str) -> None:
    await _scan_often(around, code, "1")


@says("Scan `x`, n times")
async def _scan_often(around: Around, code: str, times: str) -> None:
    for _ in range(int(times)):
        await around.page.keyboard.type(code)
        await around.page.keyboard.press("Enter")


@says("You see …")
async def _see(around: Around, what: str) -> None:
    for value, name in _MARKED.findall(what):
        shown = around.page.locator("dialog[open], main, .said").filter(has_text=value or name)
        await expect(shown.first).to_be_visible(timeout=SOON_MS)


# -- around it


@says("A buyer orders n `x` at `x`")
async def _buy(around: Around, pieces: str, sku: str, channel: str) -> None:
    around.channels[channel].place((around.keys[channel][sku], int(pieces)))


@says("In the seller panel of `x`, switch `x` on")
async def _switch_on(around: Around, channel: str, key: str) -> None:
    del around.channels[channel].refusals[key]  # type: ignore[attr-defined]  # those that the page names have them


@says("Now … show n `x`")
async def _show(around: Around, channels: str, units: str, sku: str) -> None:
    wanted = dict.fromkeys(re.findall(r"`([^`]+)`", channels), int(units))

    def all_show() -> bool:
        return wanted == {name: around.channels[name].shown[around.keys[name].get(sku, sku)] for name in wanted}

    await wait_until(all_show, f"{channels} show {units} of {sku}")


@says("Now `x` shows n `x`")
async def _shows(around: Around, channel: str, units: str, sku: str) -> None:
    await _show(around, f"`{channel}`", units, sku)
