"""The columns that files may have, and what people and their programs call them in English, Turkish and Romanian."""

import re
import unicodedata
from typing import Final, Literal

from server.domain.likeness import fold

Role = Literal["name", "place", "quantity", "yes_no", "time", "amount", "text"]
"""What a column holds: a name, a place, whole units, yes or no, a time, an amount with decimals, any text."""

ROLES: Final[dict[str, Role]] = {
    **dict.fromkeys(("sku", "barcode", "key", "name", "category", "supply_id"), "name"),
    "location": "place",
    **dict.fromkeys(("on_hand", "safety", "quantity", "factor", "priority", "footfall"), "quantity"),
    **dict.fromkeys(("listed", "open", "allow_similar"), "yes_no"),
    "counted_at": "time",
    **dict.fromkeys(("price", "list_price", "lat", "lon"), "amount"),
}
"""Columns that are not here hold text."""

_UNITS: Final = (
    *("quantity", "qty", "units", "stock", "stock quantity", "available quantity"),
    *("adet", "adedi", "miktar", "stok", "stok adedi", "stok adet", "stok miktarı", "mevcut", "mevcut stok"),
    *("ürün stok adedi", "eldeki", "eldeki miktar", "kalan", "kalan miktar", "sayım", "sayılan", "fiili stok"),
    *("cantitate", "cant", "stoc", "stoc disponibil", "stoc curent", "bucati", "buc"),
)
_PLACE: Final = (
    *("warehouse", "store", "branch"),
    *("depo", "depo adı", "depo kodu", "mağaza", "mağaza adı", "şube", "lokasyon", "ambar"),
    *("depozit", "gestiune", "locatie", "magazin", "punct de lucru"),
)

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "sku": (
        *("stock code", "product code", "item code", "article", "article number", "merchant sku", "seller sku"),
        *("stok kodu", "stok kod", "ürün kodu", "malzeme kodu", "tedarikçi stok kodu", "satıcı stok kodu"),
        *("cod produs", "cod articol", "cod", "cod sku"),
    ),
    "on_hand": ("on hand", *_UNITS),
    "quantity": _UNITS,
    "location": _PLACE,
    "name": (*_PLACE, "location", "ad", "adı", "nume", "denumire"),
    "safety": (
        *("safety stock", "emniyet stoğu", "emniyet stoku", "güvenlik stoğu", "güvenlik stoku"),
        *("stoc de siguranta", "stoc siguranta"),
    ),
    "counted_at": ("counted", "sayım zamanı", "sayım tarihi", "data inventarului", "data numararii"),
    "allow_similar": ("allow new", "benzer olabilir", "permite similar"),
    "barcode": (
        *("ean", "ean13", "gtin", "upc", "barkod", "barkod no", "barkodu", "ürün barkodu"),
        *("cod de bare", "cod bare", "cod ean"),
    ),
    "factor": (
        *("pack", "pack size", "units per pack", "koli içi", "koli içi adet", "paket adedi", "katsayı", "çarpan"),
        *("buc pe cutie", "bucati pe cutie", "bucati pe bax"),
    ),
    "kind": ("type", "tür", "türü", "tip", "işlem", "işlem türü", "hareket", "hareket türü", "tip operatiune"),
    "reason": ("açıklama", "sebep", "neden", "motiv", "explicatie"),
    "from": ("from bucket", "nereden", "din"),
    "to": ("to bucket", "nereye", "in"),
    "supply_id": ("receipt", "irsaliye no", "sipariş no", "nr comanda", "nr aviz"),
    "key": ("listing key", "channel key", "kanal kodu", "ilan kodu", "anahtar", "cheie"),
    "listed": ("satışta", "yayında", "listeli", "listelensin", "listat", "publicat"),
    "price": ("sale price", "fiyat", "fiyatı", "satış fiyatı", "pret", "pret vanzare"),
    "list_price": ("rrp", "liste fiyatı", "piyasa fiyatı", "piyasa satış fiyatı", "pret de lista", "pret lista"),
    "currency": ("para birimi", "döviz", "moneda", "valuta"),
    "components": ("bundle", "bileşenler", "componente"),
    "category": ("kategori", "kategori adı", "categorie"),
    "lat": ("latitude", "enlem", "latitudine"),
    "lon": ("longitude", "lng", "boylam", "longitudine"),
    "priority": ("öncelik", "prioritate"),
    "footfall": ("ziyaretçi", "müşteri trafiği", "trafic"),
    "open": ("açık", "deschis"),
    "groups": ("group", "grup", "gruplar", "grupuri"),
}

YES: Final = frozenset({"yes", "y", "true", "1", "x", "✓", "evet", "e", "var", "dogru", "da", "d", "adevarat"})
NO: Final = frozenset({"no", "n", "false", "0", "hayir", "h", "yok", "yanlis", "nu", "fals"})
"""As :func:`plain` makes them."""

LOOKS_LIKE: Final[dict[Role, re.Pattern[str]]] = {
    "place": re.compile(
        r"(?:^|_)(?:warehouse|location|store|branch|site|depo|depot|magaza|sube|lokasyon|ambar|yer|konum"
        r"|depozit|gestiune|locatie|magazin|filiala)(?:su|si|lar|ler)?(?:_|[0-9]|$)"
    ),
    "quantity": re.compile(
        r"(?:^|_)(?:quantity|qty|units|stock|on_hand|available|count|adet|adedi|miktar|miktari|stok|stogu|mevcut|kalan"
        r"|bakiye|sayim|cantitate|cant|stoc|bucati|buc)(?:_|[0-9]|$)"
    ),
    "yes_no": re.compile(
        r"(?:^|_)(?:listed|active|enabled|published|open|aktif|satista|yayinda|listeli|acik|durum|durumu"
        r"|activ|listat|publicat|deschis)(?:_|[0-9]|$)|_m[iu]$"
    ),
}
"""Words in a heading by which a column looks as if it mattered."""
NAMES_ANOTHER: Final = re.compile(
    r"(?:^|_)(?:name|title|code|price|cost|value|total|amount|currency|unit|date|category|group|description|image|url"
    r"|ad|adi|ismi|kodu|kod|fiyat|fiyati|tutar|tutari|maliyet|birim|birimi|tarih|tarihi|kategori|grup|grubu|aciklama|kdv|no"
    r"|nume|denumire|denumirea|cod|codul|pret|pretul|valoare|cost|um|data|categorie|grupa|descriere|tva)(?:_|$)"
)
"""Words by which it is something about a quantity, such as its name or its price; a place has a name and a code."""

_MARKS: Final = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """Bring a heading or a word to what people mean by it: no case, no accents, one ``_`` for all between words.

    ``Ürün Kodu``, ``URUN-KODU`` and ``urun kodu`` are one, and so are İ, ı, I and i.
    """
    letters = unicodedata.normalize("NFKD", fold(text))
    return _MARKS.sub("_", "".join(each for each in letters if not unicodedata.combining(each))).strip("_")


def words_of(column: str) -> frozenset[str]:
    """Return all that a column is called, in plain form."""
    return frozenset({plain(word) for word in (column, *_WORDS.get(column, ()))})


def role_of(column: str) -> Role:
    """Return what a column holds."""
    return ROLES.get(column, "text")
