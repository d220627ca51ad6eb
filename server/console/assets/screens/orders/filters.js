// What narrows a list down: it stands in the address, so that a search can be kept and handed on.

import { Field, html, useEffect, useState } from "../../lib/parts.js";
import { go, to } from "../../lib/route.js";
import { t } from "../../lib/text.js";

/**
 * `fields`: [{name, title, type, options}]; `options`: [[value, title]] of a choice; type "checkbox" for yes or no. A
 * choice holds at once, a text with Enter, or when it is left.
 */
export function Filters({ query, fields, kept = {} }) {
  const asked = JSON.stringify(query);
  const [draft, setDraft] = useState(query);
  useEffect(() => setDraft(query), [asked]);
  const show = (values) => {
    const given = Object.fromEntries(fields.map(({ name }) => [name, (values[name] ?? "").trim()]));
    go(to("orders", [], { ...kept, ...given }), { replace: true });
  };
  const change = (name, value, isMeant) => {
    const changed = { ...draft, [name]: value };
    setDraft(changed);
    if (isMeant) show(changed);
  };
  const field = ({ name, title, type = "text", options }) => {
    if (type === "checkbox") {
      return html`<label key=${name}><input type="checkbox" name=${name} checked=${draft[name] === "true"}
        onChange=${(event) => change(name, event.currentTarget.checked ? "true" : "", true)} /> ${title}</label>`;
    }
    if (options) {
      return html`<${Field} key=${name} as="select" label=${title} name=${name}
        onChange=${(event) => change(name, event.currentTarget.value, true)}>
        <option value="" selected=${!draft[name]}>${t("orders.any")}</option>
        ${options.map(([value, text]) => html`<option key=${value} value=${value}
          selected=${draft[name] === value}>${text}</option>`)}<//>`;
    }
    return html`<${Field} key=${name} label=${title} name=${name} type=${type} value=${draft[name] ?? ""}
      autocomplete="off" onValue=${(value) => change(name, value, false)}
      onChange=${(event) => change(name, event.currentTarget.value, true)} />`;
  };
  const submit = (event) => {
    event.preventDefault();
    show(draft);
  };
  const isNarrowed = fields.some(({ name }) => query[name]);
  return html`<form class="filters" role="search" aria-label=${t("orders.narrow")} onSubmit=${submit}>
    ${fields.map(field)}
    <button type="submit">${t("orders.find")}</button>
    ${isNarrowed && html`<a href=${to("orders", [], kept)}>${t("orders.all")}</a>`}
  </form>`;
}
