"""``python -m clients.generate`` writes the types of both clients, in place."""

from clients.generate.written import ROOT, written


def main() -> None:
    """Write what is not as it should be."""
    for path, text in written().items():
        before = path.read_text("utf-8") if path.exists() else ""
        if before != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))  # noqa: T201  # a tool for those who change the API


if __name__ == "__main__":
    main()
