-- move: moves units between shelves of a (SKU, location), as when they are found damaged, inspected or repaired.
--
-- Fields  Move in server/domain/operations/stock.py
-- Effect  one bucket -, the other +; on_hand stays. Reserved units can be found damaged as well, so available may fall
--         below zero.
-- Answers stock_changed · unknown_sku · exceeds_bucket (more than the shelf has; the shelf "available" has all units
--         that are neither damaged nor in quality control, reserved or not) · out_of_range

local function move_between(fields, at)
  local actor, sku, location = fields[at + Move.actor], fields[at + Move.sku], fields[at + Move.location]
  -- nil for the shelf "available", which is no bucket.
  local from, to = HELD_BACK[fields[at + Move.from_shelf]], HELD_BACK[fields[at + Move.to_shelf]]
  local units, reason = fields[at + Move.quantity], fields[at + Move.reason]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local unharmed = max(0, record[Stock.on_hand] - record[Stock.damaged] - record[Stock.quality_control])
  local there = from and record[from] or unharmed
  if units > there then return refused('exceeds_bucket', '', {{1, sku, location, units, there}}) end
  local deltas, journal_lines = {0, 0, 0, 0, 0, 0}, {} -- deltas: in the order of a stock record
  if from then deltas[from] = -units end
  if to then deltas[to] = units end
  local refusal = range.refuse(entry, deltas, units)
  if refusal then return refusal end
  change_buckets(entry, journal_lines, deltas)
  journal('move', actor, '', '', '', journal_lines, notes_of({{'reason', reason}}))
  return stock_changed(entry)
end

operation('move', move_between)
