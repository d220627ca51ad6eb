"""Makes of an empty Oscar a shop that sells some SKUs, none of them in stock yet. Run with the shop's own Python.

The SKUs come on standard input; the numbers of their products and stock records go to standard output.
"""

import json
import os
import sys
from decimal import Decimal

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  # Django has to be set up before
from django.contrib.auth.models import Permission  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402

wanted = json.load(sys.stdin)
for name, is_all_powerful in ((os.environ["OSCAR_USER"], True), (os.environ["OSCAR_KEEPER"], False)):
    user = get_user_model().objects.create_user(
        username=name, email=name, password=os.environ["OSCAR_PASSWORD"], is_staff=True, is_superuser=is_all_powerful
    )
    # What docs/channels.md asks for.
    granted = (
        "view_order", "view_line", "view_product", "view_productclass", "view_stockrecord", "change_stockrecord",
    )  # fmt: skip
    user.user_permissions.set(Permission.objects.filter(codename__in=granted))
get_model("address", "Country").objects.create(
    iso_3166_1_a2="GB", iso_3166_1_a3="GBR", iso_3166_1_numeric="826", printable_name="United Kingdom",
    name="United Kingdom", is_shipping_country=True,
)  # fmt: skip
for event in ("Shipped", "Cancelled", "Returned"):
    get_model("order", "ShippingEventType").objects.create(name=event, code=event.lower())
partner = get_model("partner", "Partner").objects.create(name="Main", code="main")
Product, StockRecord = get_model("catalogue", "Product"), get_model("partner", "StockRecord")
classes = {
    counted: get_model("catalogue", "ProductClass").objects.create(name=name, track_stock=counted)
    for counted, name in ((True, "Goods"), (False, "Gifts"))
}
made = {}
for sku in wanted["skus"]:
    is_counted = sku not in wanted["uncounted"]
    product = Product.objects.create(
        structure=Product.STANDALONE, title=f"Goods {sku}", upc=f"U-{sku}", product_class=classes[is_counted]
    )
    record = StockRecord.objects.create(
        product=product, partner=partner, partner_sku=sku, price=Decimal("10.50"), price_currency="GBP",
        num_in_stock=0 if is_counted else None,
    )  # fmt: skip
    made[sku] = (product.pk, record.pk)
json.dump(made, sys.stdout)
