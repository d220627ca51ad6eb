-- adjust: changes one bucket by a signed number of units.
--
-- Fields  Adjust in server/domain/operations/stock.py
-- Effect  the bucket changes by delta. available may fall below zero.
-- Answers stock_changed · unknown_sku · exceeds_remaining (the bucket would fall below zero)
--         · out_of_range

-- Place in a stock record by the bucket's name. held and committed change only with their reservations.
local ADJUSTABLE = {
  on_hand = Stock.on_hand, damaged = Stock.damaged, quality_control = Stock.quality_control, safety = Stock.safety,
}

local function adjust(fields, at)
  local actor, sku, location = fields[at + Adjust.actor], fields[at + Adjust.sku], fields[at + Adjust.location]
  local bucket_name, delta, reason = fields[at + Adjust.bucket], fields[at + Adjust.delta], fields[at + Adjust.reason]
  local entry, bucket = stock_entry(sku, location), ADJUSTABLE[bucket_name]
  if not entry.record then return refused('unknown_sku', '', {{1, sku, location, math.abs(delta), 0}}) end
  local units = entry.record[bucket]
  if delta < 0 and units + delta < 0 then
    return refused('exceeds_remaining', '', {{1, sku, location, -delta, units}})
  end
  local deltas, journal_lines = {0, 0, 0, 0, 0, 0}, {} -- deltas: in the order of a stock record
  deltas[bucket] = delta
  local refusal = range.refuse(entry, deltas, math.abs(delta))
  if refusal then return refusal end
  change_buckets(entry, journal_lines, deltas)
  journal('adjust', actor, '', '', '', journal_lines, reason ~= '' and {{'reason', reason}} or NONE)
  return stock_changed(entry)
end

operation('adjust', adjust)
