-- Units that come in through the door and are looked at: what was shipped and comes back, what another location sent.

-- Which bucket holds them back, beside on_hand. Those that can be sold again stand in none.
local HELD_BACK = {damaged = Stock.damaged, quality_control = Stock.quality_control}

-- Takes units in at a (SKU, location), which becomes known by it. disposition: restock, damaged or quality_control.
local function take_in(entry, journal_lines, units, disposition, line)
  if not entry.record then create_stock(entry) end
  local deltas, bucket = {units, 0, 0, 0, 0, 0}, HELD_BACK[disposition]
  if bucket then deltas[bucket] = units end
  change_buckets(entry, journal_lines, deltas, line)
end
