// Files: looked at before anything changes, applied, and taken back.

import { useLoad } from "../lib/load.js";
import { html, Title, useState } from "../lib/parts.js";
import { t } from "../lib/text.js";
import { Choose } from "./files/choose.js";
import { Imports } from "./files/imports.js";
import { Preview } from "./files/preview.js";

export default function Files({ may }) {
  const [looked, setLooked] = useState(null);
  const imports = useLoad("/v1/imports", { live: true, every: 15000 });
  return html`<${Title}>${t("files.title")}<//>
    <${Choose} may=${may} onLooked=${setLooked} />
    ${looked && html`<${Preview} key=${looked.token} looked=${looked} onApplied=${imports.again}
      onAway=${() => setLooked(null)} />`}
    <${Imports} of=${imports} may=${may} />`;
}
