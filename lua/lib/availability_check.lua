-- The check before a promise: are the units there?

-- What may be promised of an entry to a channel (nil: to whoever has nothing for himself). As long as somebody waits there,
-- what he will get is not for others: where more wait than one call may fill, it stands in available until the next.
local function promisable(entry, channel)
  local left, record = entry.available - entry.claimed, entry.record
  local backorder = record and record[Stock.backorder]
  local waiting = backorder and backorder[Backorder.waiting] or 0
  if allocated then return allocations.left(entry, channel, waiting) - entry.claimed end
  return left - waiting
end

-- How many units each line can have. lines: {entry (of the stock), units}, … channel: as above.
-- Returns {units, …} and the lines that run short, or nil where none does.
local function grant(lines, channel)
  local granted, short = {}, nil
  for i, line in ipairs(lines) do
    local entry, units = line.entry, line.units
    local left = promisable(entry, channel)
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
