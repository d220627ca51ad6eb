"""Draws the pictures of the docs from saved results.

``python -m bench.harness.pictures`` draws them anew without measuring.

Each is one SVG that carries its own background, and other colours where the reader's system is dark.
"""

import io
from pathlib import Path
from typing import Any, Final

import msgspec

IMAGES: Final = Path(__file__).parents[2] / "docs" / "img"
_LIGHT: Final = {"paper": "#ffffff", "ink": "#1f2328", "faint": "#8c959f", "grid": "#d8dee4"}
_DARK: Final = {"paper": "#0d1117", "ink": "#e6edf3", "faint": "#848d97", "grid": "#30363d"}
_COLOURS: Final = ("#1f77d0", "#c2571a", "#8a6d00", "#b03a6f", "#3a8a5c", "#7a5cc0", "#52788a", "#a3703f")
"""Told apart on white and on black, also by most who see colours differently; the markers differ, too."""
_MARKERS: Final = "osD^vPX*"


class Peers(msgspec.Struct, frozen=True):
    """Requests a second at each number of connections, by server, where all want one SKU and where they do not."""

    taken: str
    connections: list[int]
    hot: dict[str, list[float]]
    spread: dict[str, list[float]]

    @property
    def caption(self) -> str:
        """What the picture shows, for who cannot see it."""
        return "Requests a second of each server by connections"


class Growth(msgspec.Struct, frozen=True):
    """What should stay flat: by title, the sizes and the rate at each, of the smallest's; and the channels' delays."""

    taken: str
    flat: dict[str, list[tuple[int, float]]]
    limit: float
    channels: list[int]
    p50_ms: list[float]
    p99_ms: list[float]

    @property
    def caption(self) -> str:
        """What the picture shows, for who cannot see it."""
        return "Rate by size, and delay by channels"


def save(name: str, results: Peers | Growth, folder: Path = IMAGES) -> None:
    """Write results and their picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    (folder / f"{name}.svg").write_text(draw(results), "utf-8")


def draw(results: Peers | Growth) -> str:
    """Draw results as an SVG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # only who draws needs it, and it takes a second

    figure: Any = Figure(figsize=(10, 4.2), layout="constrained", facecolor=_LIGHT["paper"])
    left, right = figure.subplots(1, 2, sharey=isinstance(results, Peers))
    if isinstance(results, Peers):
        _peers(left, results, results.hot, "all want one SKU")
        _peers(right, results, results.spread, "spread over 10,000 SKUs")
        left.set_ylabel("requests/s")
    else:
        _flat(left, results)
        _channels(right, results)
    for axes in (left, right):
        _dress(axes)
    handles, labels = left.get_legend_handles_labels()
    if isinstance(results, Peers):
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, labelcolor=_LIGHT["ink"])
    return _two_lights(figure)


def _peers(axes: Any, results: Peers, rates: dict[str, list[float]], title: str) -> None:
    places = range(len(results.connections))
    for number, (name, each) in enumerate(rates.items()):
        axes.plot(places, each, color=_COLOURS[number], marker=_MARKERS[number], label=name)
    axes.set_xticks(places, [str(each) for each in results.connections])
    axes.set_yscale("log")
    axes.set_xlabel("connections")
    axes.set_title(title)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _flat(axes: Any, results: Growth) -> None:
    for number, (title, points) in enumerate(results.flat.items()):
        sizes = [size for size, _ in points]
        ratios = [ratio for _, ratio in points]
        axes.plot(sizes, ratios, color=_COLOURS[number], marker=_MARKERS[number], label=title)
    axes.axhline(results.limit, color=_LIGHT["faint"], linestyle="--")
    axes.set_xscale("symlog", linthresh=1_000)  # there is no logarithm of no live reservation
    axes.set_ylim(0, 1.3)
    axes.set_xlabel("SKUs, or live reservations")
    axes.set_title("rate, of the rate at the smallest size")
    axes.legend(loc="lower left", fontsize=7.5, frameon=False, labelcolor=_LIGHT["ink"])


def _channels(axes: Any, results: Growth) -> None:
    places = range(len(results.channels))
    axes.plot(places, results.p99_ms, color=_COLOURS[1], marker=_MARKERS[1], label="p99")
    axes.plot(places, results.p50_ms, color=_COLOURS[0], marker=_MARKERS[0], label="p50")
    axes.set_xticks(places, [str(each) for each in results.channels])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("channels")
    axes.set_title("ms from a sale to the request at each channel")
    axes.legend(loc="upper left", frameon=False, labelcolor=_LIGHT["ink"])


def _dress(axes: Any) -> None:
    axes.set_facecolor(_LIGHT["paper"])
    axes.grid(visible=True, color=_LIGHT["grid"], linewidth=0.8)
    axes.tick_params(colors=_LIGHT["ink"], which="both")
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(_LIGHT["ink"])
    for side in axes.spines.values():
        side.set_color(_LIGHT["faint"])


def _two_lights(figure: Any) -> str:
    """Write the SVG with its text as text, and let what has the colours of the light change where it is dark."""
    from matplotlib import rc_context  # noqa: PLC0415

    written = io.StringIO()
    # No date and no random ids, so that the same results give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "holdfast"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    rules = "".join(
        f'[style*="{name}: {_LIGHT[role]}"]{{{name}: {_DARK[role]} !important}}'
        for role in _LIGHT
        for name in ("fill", "stroke")
    )
    head, tag, rest = written.getvalue().partition("<defs>")
    return f"{head}<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>{tag}{rest}"


def main() -> None:
    """Draw every picture whose results are there."""
    kinds: dict[str, type[Peers | Growth]] = {"peers": Peers, "scaling": Growth}
    for name, kind in kinds.items():
        if (saved := IMAGES / f"{name}.json").exists():
            (IMAGES / f"{name}.svg").write_text(draw(msgspec.json.decode(saved.read_bytes(), type=kind)), "utf-8")
            print(f"Drawn: {IMAGES / name}.svg")


if __name__ == "__main__":
    main()
