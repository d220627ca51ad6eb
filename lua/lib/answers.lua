-- The shapes of an answer; server/domain/outcomes.py holds the other half of the contract.

-- lines: [[line, sku, location, requested, available], …]
local function refused(outcome, state, lines)
  return {'refused', outcome, state or '', lines or NONE}
end

-- entries: the stock entries that the operation touched. A reserve's own answer has none: its lines tell.
local function changed(record, entries)
  local availability, seen = {}, {}
  for _, entry in ipairs(entries) do
    if not seen[entry] then
      seen[entry] = true
      availability[#availability + 1] = {entry.sku, entry.location, entry.available, entry.record[SEQ]}
    end
  end
  return {'changed', false, record, availability}
end

local function stock_changed(entry)
  local r = entry.record
  return {'stock_changed', false, {entry.sku, entry.location, r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[BACKORDER]}}
end
