-- move: units go from one shelf of a (SKU, location) to another: found broken, put aside for inspection, repaired.
--
-- Fields  Move in server/domain/operations/stock.py
-- Effect  one bucket -, the other +; on_hand stays. Reserved units can be found broken, too: what is available may fall
--         below zero by it, which is a shortage, and recorded.
-- Answers stock_changed · unknown_sku · exceeds_bucket (there are not as many; of available: on the shelf, reserved or
--         not)

local function move_between(fields, at)
  local actor, sku, location = fields[at + Move.actor], fields[at + Move.sku], fields[at + Move.location]
  local from, to, units, reason = HELD_BACK[fields[at + Move.from_shelf]], HELD_BACK[fields[at + Move.to_shelf]], fields[at + Move.quantity], fields[at + Move.reason]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local there = from and record[from] or max(0, record[Stock.on_hand] - record[Stock.damaged] - record[Stock.quality_control])
  if units > there then return refused('exceeds_bucket', '', {{1, sku, location, units, there}}) end
  local deltas, journal_lines = {0, 0, 0, 0, 0, 0}, {}
  if from then deltas[from] = -units end
  if to then deltas[to] = units end
  change_buckets(entry, journal_lines, deltas)
  journal('move', actor, '', '', '', journal_lines, notes_of({{'reason', reason}}))
  return stock_changed(entry)
end

operation('move', move_between)
