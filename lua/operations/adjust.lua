-- adjust: change one bucket by a signed number of units.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 key, 5 sku, 6 location, 7 bucket, 8 delta, 9 reason]
-- Effect  the bucket changes by delta; available may fall below zero by it: that is a shortage, and recorded
-- Answers stock_changed · unknown_sku · exceeds_remaining (the bucket would fall below zero)

local ADJUSTABLE = {on_hand = ON_HAND, damaged = DAMAGED, quality_control = QUALITY_CONTROL, safety = SAFETY}

local function adjust(op)
  local entry, bucket, delta = stock_entry(op[5], op[6]), ADJUSTABLE[op[7]], op[8]
  if not entry.record then return refused('unknown_sku', '', {{1, op[5], op[6], math.abs(delta), 0}}) end
  local units = entry.record[bucket]
  if delta < 0 and units + delta < 0 then
    return refused('exceeds_remaining', '', {{1, op[5], op[6], -delta, units}})
  end
  local deltas, journal_lines = {0, 0, 0, 0, 0, 0}, {}
  deltas[bucket] = delta
  change_buckets(entry, journal_lines, deltas)
  journal('adjust', op[3], '', '', '', journal_lines, op[9] ~= '' and {{'reason', op[9]}} or NONE)
  return stock_changed(entry)
end
