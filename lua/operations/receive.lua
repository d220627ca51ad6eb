-- receive: adds units that arrived.
--
-- Fields  Receive in server/domain/operations/stock.py
-- Effect  on_hand +; the SKU becomes known at the location
-- Answers stock_changed

local function receive(fields, at)
  local actor, sku, location = fields[at + Receive.actor], fields[at + Receive.sku], fields[at + Receive.location]
  local quantity, reason = fields[at + Receive.quantity], fields[at + Receive.reason]
  local entry = stock_entry(sku, location)
  if not entry.record then create_stock(entry) end
  local journal_lines = {}
  change_buckets(entry, journal_lines, {quantity, 0, 0, 0, 0, 0}) -- on_hand is the first bucket
  journal('receive', actor, '', '', '', journal_lines, reason ~= '' and {{'reason', reason}} or NONE)
  return stock_changed(entry)
end

operation('receive', receive)
