"""What a page must have for those who do not see it, or use no mouse: names, labels, one heading, unique ids."""

from typing import Final

from playwright.async_api import Page

_FAULTS: Final = """() => {
  const faults = [];
  const seen = (each) => each.getClientRects().length > 0;
  const text = (each) => (each.textContent || '').trim();
  const byId = (ids) => (ids || '').split(/\\s+/).filter(Boolean)
    .map((id) => document.getElementById(id)).map((each) => (each ? text(each) : '')).join(' ').trim();
  const name = (each) => each.getAttribute('aria-label') || byId(each.getAttribute('aria-labelledby')) || text(each);
  const told = (each) => each.outerHTML.slice(0, 160);
  for (const each of document.querySelectorAll('input, select, textarea')) {
    const labels = [...(each.labels || [])].map(text).join('');
    if (seen(each) && !labels && !each.getAttribute('aria-label')) faults.push(`no label: ${told(each)}`);
  }
  for (const each of document.querySelectorAll('button, a[href], progress, [role=img]')) {
    if (seen(each) && !name(each)) faults.push(`no name: ${told(each)}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
  for (const id of new Set(ids)) if (ids.filter((each) => each === id).length > 1) faults.push(`id twice: ${id}`);
  for (const each of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
    for (const attribute of ['aria-labelledby', 'aria-describedby']) {
      for (const id of (each.getAttribute(attribute) || '').split(/\\s+/).filter(Boolean)) {
        if (!document.getElementById(id)) faults.push(`${attribute} names nothing: ${told(each)}`);
      }
    }
  }
  if (document.querySelectorAll('main h1').length !== 1) faults.push('not one heading');
  for (const each of document.querySelectorAll('table')) {
    if (each.querySelectorAll('th').length !== each.querySelectorAll('th[scope]').length) faults.push('th, no scope');
  }
  for (const each of document.querySelectorAll('nav')) {
    if (!each.getAttribute('aria-label')) faults.push(`no label: ${told(each)}`);
  }
  for (const each of document.querySelectorAll('*')) {
    if (each.hasAttribute('tabindex') && each.tabIndex > 0) faults.push(`order of the keyboard: ${told(each)}`);
  }
  if (!document.documentElement.lang || !document.title) faults.push('no language or title');
  return faults;
}"""


async def assert_accessible(page: Page) -> None:
    """Fail where the page that is shown lacks what a screen reader or a keyboard needs."""
    faults = await page.evaluate(_FAULTS)
    assert not faults, faults
