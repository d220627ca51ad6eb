"""Whether what was planted into a page as text has become an element of it, an address to follow, or has run."""

from typing import Any, Final

from playwright.async_api import Page

_HARM: Final = """() => {
  const attributes = [...document.querySelectorAll('*')].filter((each) => !each.closest('.uplot'))
    .flatMap((each) => [...each.attributes]);
  const values = (names) => attributes.filter((each) => names.test(each.name)).map((each) => each.value);
  return {
    ran: window.planted ?? 0,
    elements: [...document.querySelectorAll('.planted')].map((each) => each.outerHTML),
    addresses: values(/^(href|src|action|formaction|data|xlink:href)$/)
      .filter((value) => /^\\s*(javascript|planted|data|x):/.test(value)),
    inline: values(/^on|^style$|^srcdoc$/),
  };
}"""
NONE: Final = {"ran": 0, "elements": [], "addresses": [], "inline": []}


async def harm(page: Page) -> dict[str, Any]:
    """Return what of it did harm. The chart sets styles itself, which the policy allows, and shows numbers alone."""
    found: dict[str, Any] = await page.evaluate(_HARM)
    return found


async def assert_unharmed(page: Page) -> None:
    """Fail where anything did; a page that has broken over it has no screen, and fails as well."""
    found = await harm(page)
    assert found == NONE, found
    assert await page.locator("main h1").count() == 1, await page.locator("body").inner_text()
