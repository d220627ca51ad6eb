-- receive: units arrived.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 key, 5 sku, 6 location, 7 quantity, 8 reason]
-- Effect  on_hand +; the SKU becomes known at the location
-- Answers stock_changed

local function receive(op)
  local entry = stock_entry(op[5], op[6])
  if not entry.record then create_stock(entry) end
  local journal_lines = {}
  change_buckets(entry, journal_lines, {op[7], 0, 0, 0, 0, 0})
  journal('receive', op[3], '', '', '', journal_lines, op[8] ~= '' and {{'reason', op[8]}} or NONE)
  return stock_changed(entry)
end
