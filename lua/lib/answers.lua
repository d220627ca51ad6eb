-- The shapes of an answer; server/domain/outcomes.py holds the other half of the contract.

-- lines: [[line, sku, location, requested, available], …]
local function refused(outcome, state, lines)
  return {'refused', outcome, state or '', lines or NONE}
end

-- What is left of the entries that an operation touched, as a channel sees it; nil: as everybody does.
local function left_of(entries, channel)
  local availability, seen = {}, {}
  for _, entry in ipairs(entries) do
    if not seen[entry] then
      seen[entry] = true
      availability[#availability + 1] = {
        entry.sku, entry.location, allocated and allocations.left(entry, channel) or entry.available, entry.record[Stock.seq],
      }
    end
  end
  return availability
end

-- entries: the stock entries that the operation touched. A reserve's own answer has none: its lines tell.
local function changed(record, entries)
  return {'changed', false, record, left_of(entries, record[Record.channel])}
end

local function stock_changed(entry)
  return {'stock_changed', false, stock_level(entry.sku, entry.location, entry.record)}
end
