-- The check before a promise: are the units there?

-- How many units each line can have. lines: [[sku, location, units, stock entry], …]. channel: who wants them; nil: nobody
-- who has anything for himself.
-- Returns {units, …} and the lines that run short, or nil where none does.
local function grant(lines, channel)
  local granted, short = {}, nil
  for i, line in ipairs(lines) do
    local entry, units = line[4], line[3]
    local left = (allotted and allotments.left(entry, channel) or entry.available) - entry.claimed
    if left < units then
      left = max(left, 0)
      short = short or {}
      short[#short + 1] = {i, line[1], line[2], units, left}
      units = left
    end
    entry.claimed = entry.claimed + units
    granted[i] = units
  end
  for _, line in ipairs(lines) do line[4].claimed = 0 end
  return granted, short
end
