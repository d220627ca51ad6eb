"""Lines of requests, made of what stands in them."""

from server.schemas.common import UNNAMED, LineBody


def line_body(sku: str, quantity: int, location: str = UNNAMED) -> LineBody:
    """Make a line that names a SKU."""
    return LineBody(sku=sku, quantity=quantity, location=location)
