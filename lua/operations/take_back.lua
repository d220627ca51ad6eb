-- take_back: takes back at a (SKU, location) what an import did there, by a counter-movement.
--
-- Fields  TakeBack in server/domain/operations/stock.py: signed units that are added to each bucket; seq, at_ms: of
--         the last change that is taken back; -1: not known when
-- Effect  the buckets change by these units. A number that was counted since stands. available falls below zero only
--         with may_be_short: units that are reserved are not taken from under their orders.
-- Answers stock_changed · unknown_sku · counted_since · exceeds_remaining (a bucket would fall below zero)
--         · out_of_stock (available would) · out_of_range

-- The refusal of a bucket that would fall below zero, or nil.
local function refuse_below_zero(record, deltas, sku, location)
  for bucket = Stock.on_hand, Stock.safety do
    if deltas[bucket] < 0 and record[bucket] + deltas[bucket] < 0 then
      return refused('exceeds_remaining', '', {{1, sku, location, -deltas[bucket], record[bucket]}})
    end
  end
  return nil
end

local function take_back(fields, at)
  local actor, sku, location = fields[at + TakeBack.actor], fields[at + TakeBack.sku], fields[at + TakeBack.location]
  local entry, deltas, journal_lines = stock_entry(sku, location), {0, 0, 0, 0, 0, 0}, {}
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, 0, 0}}) end
  deltas[Stock.on_hand], deltas[Stock.damaged] = fields[at + TakeBack.on_hand], fields[at + TakeBack.damaged]
  deltas[Stock.quality_control] = fields[at + TakeBack.quality_control]
  deltas[Stock.safety] = fields[at + TakeBack.safety]
  local seq, at_ms = fields[at + TakeBack.seq], fields[at + TakeBack.at_ms]
  if deltas[Stock.on_hand] ~= 0 and counts.is_counted_after(entry, seq, at_ms) then
    return refused('counted_since')
  end
  local units = available(deltas)
  local refusal = refuse_below_zero(record, deltas, sku, location) or range.refuse(entry, deltas, math.abs(units))
  if refusal then return refusal end
  if units < 0 and entry.available + units < 0 and not fields[at + TakeBack.may_be_short] then
    return refused('out_of_stock', '', {{1, sku, location, -units, max(0, entry.available)}})
  end
  change_buckets(entry, journal_lines, deltas)
  journal('adjust', actor, '', '', '', journal_lines, notes_of({{'reason', fields[at + TakeBack.reason]}}))
  return stock_changed(entry)
end

operation('take_back', take_back)
