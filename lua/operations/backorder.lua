-- backorder: sets how many units of a SKU at a location can be ordered beyond those available.
--
-- Fields  SetBackorder in server/domain/operations/stock.py; limit 0: none from now on
-- Effect  the rule applies to new reservations; lines that wait keep their date. The SKU becomes known at the location,
--         so that it can be ordered before the first units arrive.
-- Answers stock_changed · unknown_sku (limit 0 where the SKU is not known) · too_many_places · similar_name
--         · unregistered_location

local function set_backorder(fields, at)
  local actor, sku = fields[at + SetBackorder.actor], fields[at + SetBackorder.sku]
  local location = fields[at + SetBackorder.location]
  local mode, limit = fields[at + SetBackorder.mode], fields[at + SetBackorder.limit]
  local promise_on = fields[at + SetBackorder.promise_on]
  local entry = stock_entry(sku, location)
  if not entry.record then
    if limit == 0 then return refused('unknown_sku', '', {{1, sku, location, 0, 0}}) end
    if range.is_full(entry) then return refused('too_many_places', '', {{1, sku, location, 0, 0}}) end
    local refusal = likeness.refuse(entry, limit)
    if refusal then return refusal end
    create_stock(entry)
  end
  local now = entry.record[Stock.backorder] or {'', 0, '', 0} -- mode, limit, promise_on, waiting
  if now[Backorder.mode] ~= mode or now[Backorder.limit] ~= limit or now[Backorder.promise_on] ~= promise_on then
    local journal_lines = {}
    backorders.set(entry, mode, limit, promise_on, now[Backorder.waiting])
    change_buckets(entry, journal_lines, NO_DELTAS)
    local notes = notes_of({
      {'mode', mode}, {'limit', string.format('%.0f', limit)}, {'promise_on', promise_on},
      {'was_mode', now[Backorder.mode]}, {'was_limit', string.format('%.0f', now[Backorder.limit])},
      {'was_promise_on', now[Backorder.promise_on]},
    })
    journal('backorder', actor, '', '', '', journal_lines, notes)
  end
  return stock_changed(entry)
end

operation('backorder', set_backorder)
