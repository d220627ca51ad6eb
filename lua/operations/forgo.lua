-- forgo: an expected receipt will not come, or was a mistake.
--
-- Fields  Forgo in server/domain/operations/expected_receipts.py
-- Effect  it is removed. No stock changes: what was received against it stays.
-- Answers expected_receipt_changed (as it was) · unknown_supply

local function forgo(fields, at)
  local document = expected_receipts[fields[at + Forgo.supply_id]]
  if not document.record then return refused('unknown_supply') end
  local told = expected_receipt_changed(document)
  document.record = nil
  mark_expected_receipt(document)
  return told
end

operation('forgo', forgo)
