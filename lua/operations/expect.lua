-- expect: registers or changes an expected receipt.
--
-- Fields  Expect in server/domain/operations/expected_receipts.py
-- Effect  the expected receipt is set to these values, and its names are known. The units that were received against
--         it stay, so that a repeated request has no effect; also where it was removed meanwhile. No stock changes.
--         The journal has what it was and is.
-- Answers expected_receipt_changed · id_reused (the id belongs to another SKU) · too_many_receipts
--         · similar_name · unregistered_location

local function expect(fields, at)
  local document, sku = expected_receipts[fields[at + Expect.supply_id]], aliases.current(fields[at + Expect.sku])
  local before, location, sscc = document.record, fields[at + Expect.location], fields[at + Expect.sscc]
  if before and aliases.current(before[Receipt.sku]) ~= sku then
    if before[Receipt.quantity] > 0 then return refused('id_reused') end
    before = nil -- it was removed: what was received is of another SKU
  end
  local is_open = before and before[Receipt.quantity] > 0
  if not has_room_for_receipt(is_open and before or nil, sku, sscc) then return refused('too_many_receipts') end
  if not before or before[Receipt.location] ~= location then
    local refusal = likeness.refuse({sku = sku, location = location}, fields[at + Expect.quantity])
    if refusal then return refusal end
  end
  document.record = {
    sku, location, fields[at + Expect.quantity], before and before[Receipt.received] or 0,
    fields[at + Expect.expected_on], fields[at + Expect.reference], sscc,
  }
  mark_expected_receipt(document)
  journal_expected('expect', fields[at + Expect.actor], document.id, before, document.record)
  return expected_receipt_changed(document)
end

operation('expect', expect)
