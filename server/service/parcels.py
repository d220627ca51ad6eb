"""Parcels: what was announced under the number on one, an SSCC, opens when it is scanned."""

from typing import NamedTuple

from server.domain.expected_receipt import ExpectedReceipt
from server.domain.gs1 import LabelError, sscc_of
from server.domain.spelling import normal
from server.domain.transfer import Transfer
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.store.connection.timeouts import in_time
from server.store.repositories.expected_receipts import read_parcel
from server.store.repositories.transfers import read_transfer


class Parcel(NamedTuple):
    """What is still to come in a parcel: expected receipts with their ids, and the transfer that has its number."""

    sscc: str
    supply: list[tuple[str, ExpectedReceipt]]
    transfer: Transfer | None


def check_sscc(field: str, text: str) -> str:
    """Return the 18 digits of the number of a parcel, with or without its identifier.

    Raises
    ------
    InvalidError
        It is none.

    """
    try:
        return sscc_of(normal(text))
    except LabelError as error:
        raise InvalidError(field, str(error)) from None


async def open_parcel(caller: Caller, text: str) -> Parcel:
    """Read what is still to come in a parcel.

    Raises
    ------
    InvalidError
        It is not the number of a parcel.
    StoreUnavailableError
        The store did not answer in time.

    """
    sscc = check_sscc("sscc", text)
    client, keyspace = caller.partition.client, caller.partition.keyspace
    supply = await in_time(read_parcel(client, keyspace, sscc))
    transfer = await in_time(read_transfer(client, keyspace, sscc))
    return Parcel(sscc, supply, transfer if transfer is not None and transfer.state == "in_transit" else None)
