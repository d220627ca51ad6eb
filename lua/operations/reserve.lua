-- reserve: holds units until a deadline.
--
-- Fields  Reserve in server/domain/operations/reservations.py, in the order of its wire. partial: false, true, or
--         "backorder" (lines wait for missing units); flags: false where there are none. lib/batch.lua has replaced
--         each SKU by its stock entry.
-- Effect  held + by the quantity of each line; partial: by the units that are available; backorder: the same, and the
--         line waits for the missing units where its backorder rule permits it
-- Answers changed · id_reused · unknown_sku · out_of_stock · quota_exceeded · look_in_slices
--         · retry_after_expiry (more holds are due than one call expires)

operation('reserve', function(fields, at, last)
  return new_reservation(fields, at, last, fields[at + Reserve.ttl_ms], false)
end)
