"""The addresses of the real Oscar: its pages at the root, its API below /api/. And what many shops add to it."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import include, path
from oscar.apps.order.processing import EventHandler
from oscar.apps.order.signals import order_status_changed

FREED = "FREES-"
"""Begins the SKUs of which this shop frees what was allocated; by itself Oscar leaves it allocated for ever."""

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("api/", include("oscarapi.urls")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]


def free_what_was_allocated(order: Any, new_status: str, **_: Any) -> None:
    """Free the pieces of an order that is cancelled, and let those of one that is complete leave the stock."""
    lines = [line for line in order.lines.all() if line.partner_sku.startswith(FREED)]
    if lines and new_status == "Cancelled":
        EventHandler().cancel_stock_allocations(order, lines)
    elif lines and new_status == "Complete":
        EventHandler().consume_stock_allocations(order, lines)


order_status_changed.connect(free_what_was_allocated)
