-- forgo: removes an expected receipt that will not arrive or was a mistake.
--
-- Fields  Forgo in server/domain/operations/expected_receipts.py
-- Effect  the expected receipt is removed; the journal has what it was.
--         No stock changes: units that were received against it stay. Where there are
--         any, the record stays with a quantity of 0, as long as one that is complete: set again, it goes on there.
-- Answers expected_receipt_changed (as it was) · unknown_supply (no expected receipt has this id)

local function forgo(fields, at)
  local document = expected_receipts[fields[at + Forgo.supply_id]]
  local record = document.record
  if not record or record[Receipt.quantity] == 0 then return refused('unknown_supply') end
  local result, kept = expected_receipt_changed(document), nil
  if record[Receipt.received] > 0 then
    kept = {}
    for i, value in ipairs(record) do kept[i] = value end
    kept[Receipt.quantity] = 0
  end
  document.record = kept
  mark_expected_receipt(document)
  journal_expected('forgo', fields[at + Forgo.actor], document.id, record, nil)
  return result
end

operation('forgo', forgo)
