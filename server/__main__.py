"""``python -m server`` is ``holdfast``."""

from server.cli import main

main()
