-- The check before units are reserved: are they available?

-- The units of an entry that a channel can reserve (nil: a channel without an allocation). Units that lines wait for
-- are not among them: where more lines wait than one call fills, available holds their units until the next call.
local function reservable(entry, channel)
  if entry.unstocked then return unstocked.MORE_THAN_REQUESTED end
  local left, record = entry.available - entry.claimed, entry.record
  local backorder = record and record[Stock.backorder]
  local waiting = backorder and backorder[Backorder.waiting] or 0
  if allocated then return allocations.left(entry, channel, waiting) - entry.claimed end
  return left - waiting
end

-- How many units each line can have. lines: {{entry (of the stock), units}, …}; channel: as above.
-- Returns {units, …} and the lines that run short, as refused takes them, or nil where none does.
local function grant(lines, channel)
  local granted, short = {}, nil
  for i, line in ipairs(lines) do
    local entry, units = line.entry, line.units
    local left = reservable(entry, channel)
    if left < units then
      left = max(left, 0)
      short = short or {}
      short[#short + 1] = {i, entry.sku, entry.location, units, left}
      units = left
    end
    entry.claimed = entry.claimed + units
    granted[i] = units
  end
  for _, line in ipairs(lines) do line.entry.claimed = 0 end
  return granted, short
end
