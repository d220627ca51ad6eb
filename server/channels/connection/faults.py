"""What a log tells of a fault in an adapter: its place, and none of its words."""

import traceback


def fault_of(error: BaseException) -> dict[str, str]:
    """Return of what kind a fault is and where it was raised: without its words, which may be personal."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "at": at}
