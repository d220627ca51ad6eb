"""What is still to be sent of the large answers of this process."""

from typing import Final


class Pending:
    """The bytes of large answers that are being written, by connection: what their transports have not got yet."""

    def __init__(self) -> None:
        self._unsent: dict[object, int] = {}

    def set(self, connection: object, unsent_bytes: int) -> None:
        """Note how much of an answer is left; 0: all of it was handed over."""
        if unsent_bytes:
            self._unsent[connection] = unsent_bytes
        else:
            self._unsent.pop(connection, None)

    def of(self, connection: object) -> int:
        """Return how much is left for a connection."""
        return self._unsent.get(connection, 0)


PENDING: Final = Pending()
"""Of this process."""
