-- reserve: hold units until a deadline.
--
-- Fields  Reserve in server/domain/operations/reservations.py, as its wire says; partial is false, true, or "backorder": what is missing waits. flags is false where there are none.
--         lib/batch.lua has put the stock entry in the place of each SKU.
-- Effect  held grows by the quantity of each line; partial: by as much as there is; backorder: the same, and the line
--         waits for what is missing, where that may be promised
-- Answers changed · id_reused · unknown_sku · out_of_stock · retry_after_expiry (more due holds wait than may be expired
--         here)

operation('reserve', function(fields, at, last)
  return new_reservation(fields, at, last, fields[at + Reserve.ttl_ms], false)
end)
