-- forgo: removes an expected receipt that will not arrive or was a mistake.
--
-- Fields  Forgo in server/domain/operations/expected_receipts.py
-- Effect  the expected receipt is removed. No stock changes: units that were received against it stay.
-- Answers expected_receipt_changed (as it was) · unknown_supply (no expected receipt has this id)

local function forgo(fields, at)
  local document = expected_receipts[fields[at + Forgo.supply_id]]
  if not document.record then return refused('unknown_supply') end
  local result = expected_receipt_changed(document)
  document.record = nil
  mark_expected_receipt(document)
  return result
end

operation('forgo', forgo)
