-- receive: adds units that arrived.
--
-- Fields  Receive in server/domain/operations/stock.py
-- Effect  on_hand +; the SKU becomes known at the location
-- Answers stock_changed · out_of_range · too_many_places · similar_name · unregistered_location

local function receive(fields, at)
  local actor, sku, location = fields[at + Receive.actor], fields[at + Receive.sku], fields[at + Receive.location]
  local quantity, reason = fields[at + Receive.quantity], fields[at + Receive.reason]
  local entry = stock_entry(sku, location)
  local deltas, journal_lines = {quantity, 0, 0, 0, 0, 0}, {} -- on_hand is the first bucket
  local refusal = range.refuse(entry, deltas, quantity) or likeness.refuse(entry, quantity)
  if refusal then return refusal end
  if not entry.record then create_stock(entry) end
  change_buckets(entry, journal_lines, deltas)
  journal('receive', actor, '', '', '', journal_lines, reason ~= '' and {{'reason', reason}} or NONE)
  return stock_changed(entry)
end

operation('receive', receive)
