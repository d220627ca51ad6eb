"""A simulated Amazon: patches one by one, feeds with reports by number, offers that it ships itself, hourly tokens."""

import gzip
import json
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from tests.channels.amazon_order_side import MARKETPLACE, AmazonOrderSide, answered, faulty
from tests.channels.token_side import TokenSide

ACCESS: Final = "made-up-access-token"
SELLER: Final = "A2SELLER0001"
HEADER: Final = "x-amz-access-token"
UNKNOWN: Final = "SKU not found"
MESSAGES_MAX: Final = 25_000
QUANTITY_MAX: Final = 1_000_000


class WirePatch(msgspec.Struct, forbid_unknown_fields=True):
    op: Literal["merge"]
    path: Literal["/attributes/fulfillment_availability", "/attributes/purchasable_offer"]
    value: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=1)]


class WireBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    product_type: Literal["PRODUCT"]
    patches: Annotated[list[WirePatch], Meta(min_length=1)]


class WireMessage(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    message_id: Annotated[int, Meta(ge=1, le=2**31)]
    sku: str
    operation_type: Literal["PATCH"]
    product_type: Literal["PRODUCT"]
    patches: Annotated[list[WirePatch], Meta(min_length=1)]


class WireFeed(msgspec.Struct, forbid_unknown_fields=True):
    header: dict[str, str]
    messages: Annotated[list[WireMessage], Meta(min_length=1, max_length=MESSAGES_MAX)]


@dataclass
class Feed:
    document: str
    is_lie: bool
    polls: int = 0
    report: list[dict[str, Any]] | None = None


@dataclass
class AmazonSimulator(AmazonOrderSide, TokenSide):
    """One seller's account.

    A feed ends when it is asked about for the ``polls_until_done``-th time, or at once where that is 0.
    ``ends_as``: how. ``refusals`` are SKUs whose values are not valid, and why. ``fba``: those that Amazon ships.
    ``zips``: reports come compressed. ``strays``: reports name a message that nobody sent.
    """

    rotates: bool = False
    names_client: bool = True
    polls_until_done: int = 0
    ends_as: str = "DONE"
    zips: bool = True
    strays: bool = False
    refusals: dict[str, str] = field(default_factory=dict)
    fba: set[str] = field(default_factory=set)
    documents: dict[str, bytes] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.access, self.given = self.access or ACCESS, self.given or [ACCESS, "made-up-refresh-token"]
        self._ids = count(1)

    def routes(self) -> list[web.RouteDef]:
        listing, feeds = f"/listings/2021-08-01/items/{SELLER}/{{sku}}", "/feeds/2021-06-30"
        return [
            web.patch(listing, self._patch),
            web.get(listing, self._offer),
            web.post(f"{feeds}/documents", self._new_document),
            web.get(f"{feeds}/documents/{{id}}", self._document),
            web.post(f"{feeds}/feeds", self._new_feed),
            web.get(f"{feeds}/feeds/{{id}}", self._feed),
            web.put("/upload/{id}", self._upload),
            web.get("/download/{id}", self._download),
            *self.token_routes("/auth/o2/token"),
            *self.order_routes(),
        ]

    def bearer(self, request: web.Request) -> str:
        return request.headers.get(HEADER, "")

    def refused(self, request: web.Request) -> web.Response | None:
        if not self.let_in(request):
            return faulty(403, "Unauthorized", "Access to requested resource is denied.")
        if request.method in {"POST", "PATCH"} and request.content_type != "application/json":
            self.complain(f"{request.path}: {request.content_type}")
            return faulty(415, "UnsupportedMediaType", "another media type")
        return None

    # -- one by one

    async def _patch(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        sku = request.match_info["sku"]
        if dict(request.query) != {"marketplaceIds": MARKETPLACE}:
            return self.wrong(f"a patch by {dict(request.query)}")
        try:
            patches = msgspec.json.decode(await request.read(), type=WireBody).patches
        except msgspec.MsgspecError as error:
            return self.wrong(str(error))
        if sku not in self.shown:
            return faulty(404, "NOT_FOUND", UNKNOWN)
        fault = self._apply(sku, patches, is_lie=self.lying)
        issues = [{"code": "90220", "message": fault, "severity": "ERROR"}] if fault else []
        status = "INVALID" if fault else "ACCEPTED"
        return answered({"sku": sku, "status": status, "submissionId": f"s{next(self._ids)}", "issues": issues})

    def _apply(self, sku: str, patches: list[WirePatch], *, is_lie: bool) -> str:
        if sku in self.fba:
            self.complain("a number for what Amazon ships itself")
        if sku in self.refusals or sku not in self.shown:
            return self.refusals.get(sku, UNKNOWN)
        quantity, price = None, None
        for each in patches:
            [value] = each.value
            if each.path.endswith("fulfillment_availability"):
                if set(value) != {"fulfillment_channel_code", "quantity"} or value["quantity"] > QUANTITY_MAX:
                    self.complain(f"a number as {value}")
                quantity = value["quantity"]
            else:
                if set(value) != {"marketplace_id", "currency", "our_price"}:
                    self.complain(f"a price as {value}")
                price = f"{value['our_price'][0]['schedule'][0]['value_with_tax']:.2f}"
        if not is_lie and quantity is not None:
            self.show(sku, quantity, price)
        return ""

    async def _offer(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        sku = request.match_info["sku"]
        if dict(request.query) != {"marketplaceIds": MARKETPLACE, "includedData": "fulfillmentAvailability"}:
            return self.wrong(f"an offer by {dict(request.query)}")
        if sku not in self.shown:
            return faulty(404, "NOT_FOUND", UNKNOWN)
        code = "AMAZON_EU" if sku in self.fba else "DEFAULT"
        row = {"fulfillmentChannelCode": code, "quantity": self.shown[sku]}
        return answered({"sku": sku, "fulfillmentAvailability": [row]})

    # -- feeds

    async def _new_document(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        number = f"d{next(self._ids)}"
        self.documents[number] = b""
        return answered({"feedDocumentId": number, "url": f"{self.url}/upload/{number}"}, 201)

    async def _upload(self, request: web.Request) -> web.Response:
        if HEADER in request.headers or "Authorization" in request.headers:
            self.complain("a token at an address that is a secret of its own")
        self.documents[request.match_info["id"]] = await request.read()
        return web.Response()

    async def _new_feed(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        asked = json.loads(await request.read())
        document = asked.get("inputFeedDocumentId", "")
        if asked.get("feedType") != "JSON_LISTINGS_FEED" or asked.get("marketplaceIds") != [MARKETPLACE]:
            return self.wrong(f"a feed by {asked}")
        try:
            content = msgspec.json.decode(self.documents[document], type=WireFeed)
        except msgspec.MsgspecError as error:
            return self.wrong(str(error))
        if content.header.get("sellerId") != SELLER or len({each.message_id for each in content.messages}) < len(
            content.messages
        ):
            return self.wrong("another seller, or one number for two messages")
        number = f"f{next(self._ids)}"
        self.feeds[number] = Feed(document, self.lying)
        if not self.polls_until_done:
            self._process(self.feeds[number])
        return answered({"feedId": number}, 202)

    def _process(self, feed: Feed) -> None:
        feed.report = []
        if self.ends_as != "DONE":
            return
        for each in msgspec.json.decode(self.documents[feed.document], type=WireFeed).messages:
            fault = self._apply(each.sku, each.patches, is_lie=feed.is_lie)
            if fault:
                feed.report.append(
                    {"messageId": each.message_id, "code": "90220", "severity": "ERROR", "message": fault}
                )
        if self.strays:
            feed.report.append({"messageId": 7, "code": "1", "severity": "ERROR", "message": "something"})

    async def _feed(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        feed = self.feeds.get(request.match_info["id"])
        if feed is None:
            return faulty(404, "NotFound", "no such feed")
        feed.polls += 1
        if feed.report is None and feed.polls >= self.polls_until_done:
            self._process(feed)
        if feed.report is None:
            return answered({"feedId": request.match_info["id"], "processingStatus": "IN_PROGRESS"})
        number = f"r{next(self._ids)}"
        content = json.dumps({"header": {}, "issues": feed.report, "summary": {}}).encode()
        self.documents[number] = gzip.compress(content) if self.zips else content
        told = {"feedId": request.match_info["id"], "processingStatus": self.ends_as}
        return answered({**told, "resultFeedDocumentId": number})

    async def _document(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        number = request.match_info["id"]
        zipped = {"compressionAlgorithm": "GZIP"} if self.zips else {}
        return answered({"feedDocumentId": number, "url": f"{self.url}/download/{number}", **zipped})

    async def _download(self, request: web.Request) -> web.Response:
        if HEADER in request.headers or "Authorization" in request.headers:
            self.complain("a token at an address that is a secret of its own")
        return web.Response(body=self.documents[request.match_info["id"]])
