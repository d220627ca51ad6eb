-- Units that arrive and are inspected: returned by a customer, or sent from another location.

-- Disposition -> the bucket that keeps the units back beside on_hand. A restock has none: they can be sold at once.
local HELD_BACK = {damaged = Stock.damaged, quality_control = Stock.quality_control}

-- The deltas of units that arrive, in the order of a stock record.
local function deltas_of_arrival(units, disposition)
  local deltas, bucket = {units, 0, 0, 0, 0, 0}, HELD_BACK[disposition]
  if bucket then deltas[bucket] = units end
  return deltas
end

-- Adds units to a stock record, which is created where there is none. disposition: restock, damaged or quality_control.
-- line: the reservation's line number, nil outside any.
local function receive_units(entry, journal_lines, units, disposition, line)
  if not entry.record then create_stock(entry) end
  change_buckets(entry, journal_lines, deltas_of_arrival(units, disposition), line)
end
