-- receive_expected: units arrived that were expected.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 key, 5 supply id, 6 sku, 7 location ("": where they were expected),
--          8 quantity, 9 reason]
-- Effect  on_hand +, and as many are not expected any more; the SKU becomes known at the location. More than was expected
--         is reality, too: nothing is expected then.
-- Answers stock_changed · unknown_supply (nobody said that it would come, or it is another SKU's)

local function receive_expected(fields, at)
  local actor, id, sku, location = fields[at + 2], fields[at + 4], fields[at + 5], fields[at + 6]
  local quantity, reason = fields[at + 7], fields[at + 8]
  local document = expected_receipts[id]
  local record = document.record
  if not record or record[EXPECTED_SKU] ~= sku then return refused('unknown_supply') end
  local entry = stock_entry(sku, location ~= '' and location or record[EXPECTED_LOCATION])
  local journal_lines = {}
  take_in(entry, journal_lines, quantity, 'restock')
  record[EXPECTED_RECEIVED] = record[EXPECTED_RECEIVED] + quantity
  mark_expected_receipt(document)
  journal('receive', actor, '', '', '', journal_lines, notes_of({{'supply', id}, {'reason', reason}}))
  return stock_changed(entry)
end
