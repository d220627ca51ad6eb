"""``python -m server`` is ``holdfast``, and how a worker process is started."""

import sys

from server.telemetry.worker_files import name_files_by_worker

name_files_by_worker(sys.argv)

from server.cli.main import main  # noqa: E402  # the metrics are made by this import

main()
