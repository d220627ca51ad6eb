-- At which places the missing units of a reserve or order without a location wait. See lib/places_of_order.lua for
-- order, want and part, and lib/backorders.lua for the rules that permit it.
--
-- A line never waits at a place that has units for it: the queue would get them at once. So the place gives what it has
-- beyond the net sum first, and only the rest waits.

do

-- The units that place i has for the missing ones of a want, beyond its part of them.
local function rest_at(want, i, entry)
  local rest = want.left[i]
  for _, part in ipairs(want.parts) do
    if part.entry == entry then rest = rest - part.units end
  end
  return max(0, min(want.missing, rest))
end

-- Whether the missing units of a want may wait at a place, which gives so many of them first. asked, waits: units of
-- each entry that are requested, and that are to be waited for.
local function may_wait(want, entry, rest, asked, waits, channel)
  local rule = entry.record[Stock.backorder]
  if not rule then return false end
  local waiting = rule[Backorder.waiting] + (waits[entry] or 0) + want.missing - rest
  if waiting > rule[Backorder.limit] then return false end
  local units = (asked[entry] or 0) + want.missing
  return not allocated or not allocations.is_capped({{entry = entry, units = units}}, channel)
end

-- The place at which the missing units of a want wait: `main` before others, else the one with most units; or nil.
-- And the units that it gives first.
local function waiting_place(want, asked, waits, channel)
  local best, best_entry, best_rest = nil, nil, 0
  for i = 1, #want.names do
    -- A record with a rule has got its entry when it was read.
    local entry = stock[want.fields[i]] or aliases.entry_at(want.fields[i])
    local is_better = not best or want.names[i] == DEFAULT_LOCATION
      or want.names[best] ~= DEFAULT_LOCATION and places_of_order.comes_before(want, i, best)
    if is_better and entry and entry.record then
      local rest = rest_at(want, i, entry)
      if may_wait(want, entry, rest, asked, waits, channel) then best, best_entry, best_rest = i, entry, rest end
    end
  end
  return best_entry, best_rest
end

-- Where missing units wait, by want: {entry, units (that the place gives first)}; or nil where those of one may not.
function places_of_order.waiting(order)
  local asked, waits, found = {}, {}, {}
  local function add(entry, units, missing)
    asked[entry] = (asked[entry] or 0) + units
    waits[entry] = (waits[entry] or 0) + missing
  end
  places_of_order.each_named(order, function(number, entry, units) add(entry, units, units - order.granted[number]) end)
  for _, want in ipairs(order.wants) do
    for _, part in ipairs(want.parts) do add(part.entry, part.units, 0) end
  end
  for _, want in ipairs(order.wants) do
    if want.missing > 0 then
      local entry, rest = waiting_place(want, asked, waits, order.channel)
      if not entry then return nil end
      add(entry, want.missing, want.missing - rest)
      found[want] = {entry = entry, units = rest}
    end
  end
  return found
end

end
