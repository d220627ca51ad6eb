-- receive_expected: adds units of an expected receipt that arrived.
--
-- Fields  ReceiveExpected in server/domain/operations/expected_receipts.py; no location: that of the expected receipt
-- Effect  on_hand +, and as many units are no longer expected. The SKU becomes known at the location. More units than
--         were expected are received as well; none are expected then.
-- Answers stock_changed · unknown_supply (no expected receipt has this id, or it is of another SKU)
--         · out_of_range · too_many_places · similar_name · unregistered_location

local function receive_expected(fields, at)
  local actor, id = fields[at + ReceiveExpected.actor], fields[at + ReceiveExpected.supply_id]
  local sku, location = fields[at + ReceiveExpected.sku], fields[at + ReceiveExpected.location]
  local quantity, reason = fields[at + ReceiveExpected.quantity], fields[at + ReceiveExpected.reason]
  local document = expected_receipts[id]
  local record = document.record
  sku = aliases.current(sku)
  if not record or record[Receipt.quantity] == 0 or aliases.current(record[Receipt.sku]) ~= sku then
    return refused('unknown_supply')
  end
  local entry = stock_entry(sku, location ~= '' and location or record[Receipt.location])
  local deltas, journal_lines = deltas_of_arrival(quantity, 'restock'), {}
  local refusal = range.refuse(entry, deltas, quantity) or likeness.refuse(entry, quantity)
  if refusal then return refusal end
  receive_units(entry, journal_lines, quantity, 'restock')
  record[Receipt.received] = record[Receipt.received] + quantity
  mark_expected_receipt(document)
  journal('receive', actor, '', '', '', journal_lines, notes_of({{'supply', id}, {'reason', reason}}))
  return stock_changed(entry)
end

operation('receive_expected', receive_expected)
