"""``python -m server`` is ``holdfast``."""

from server.cli.main import main

main()
