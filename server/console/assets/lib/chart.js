// A line over time, by uPlot, which is read when the first chart is shown.

import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import { settings } from "./settings.js";
import { locale, number, timeZone } from "./text.js";
import { useValue } from "./value.js";

/**
 * Draws steps over time. `times`: milliseconds since 1970, rising; `lines`: [{title, values}]. `label` says what it
 * shows, for those who do not see it.
 */
export function Chart({ times, lines, label, height = 180 }) {
  const place = useRef(null);
  const { theme } = useValue(settings);
  useEffect(() => {
    let chart = null;
    let gone = false;
    const watch = new ResizeObserver(() => chart?.setSize({ width: place.current.clientWidth, height }));
    import("../vendor/uplot.js").then(({ default: UPlot }) => {
      if (gone || !place.current) return;
      const style = getComputedStyle(place.current);
      const { color: ink, borderTopColor: soft, caretColor: accent } = style;
      const axis = { stroke: ink, grid: { stroke: soft }, ticks: { stroke: soft } };
      const shown = { timeZone: timeZone.now, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
      const date = new Intl.DateTimeFormat(locale(), shown);
      const options = {
        width: place.current.clientWidth,
        height,
        legend: { show: lines.length > 1 },
        axes: [
          { ...axis, space: 110, values: (_, at) => at.map((s) => date.format(s * 1000)) },
          { ...axis, values: (_, at) => at.map(number) },
        ],
        series: [
          {},
          ...lines.map((each) => ({
            label: each.title, stroke: accent, width: 2, paths: UPlot.paths.stepped({ align: 1 }),
          })),
        ],
      };
      chart = new UPlot(options, [times.map((ms) => ms / 1000), ...lines.map((each) => each.values)], place.current);
      watch.observe(place.current);
    });
    return () => {
      gone = true;
      watch.disconnect();
      chart?.destroy();
    };
  }, [times.length, times[times.length - 2], height, theme]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${place}></div>`;
}
