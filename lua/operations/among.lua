-- among: names the places that the lines of the reserve or order behind it that have no location may be taken from. The
-- service sends it where a SKU is known at too many places for one call: it has read them before, and names those that
-- count, see server/store/ledger/wide_orders.py.
--
-- op      [1 tag, 2 {SKU -> [name, …]}, 3 {SKU -> units at the other places, a shortage there subtracted}], then the
--         reserve or order
-- Effect  that of the reserve or order, as if units could be taken from no other place. What is available is looked up
--         now, so names that are out of date promise nothing that is not there.
-- Answers those of the reserve or order

-- Places of the fields, counted from the tag; and how many stand in front of the reserve or order.
local AMONG_AT, LENGTH = {names = 1, elsewhere = 2}, 3

-- The place of the reserve or order at or behind `at`; what an among in front of it says is set.
function places_of_order.behind_among(fields, at)
  if fields[at] ~= 'among' then return at end
  local names, elsewhere = {}, {}
  for sku, of_sku in pairs(fields[at + AMONG_AT.names]) do
    local name = aliases.current(sku) -- two names of one SKU have the same places
    names[name], elsewhere[name] = of_sku, fields[at + AMONG_AT.elsewhere][sku]
  end
  work.among = {names = names, elsewhere = elsewhere}
  return at + LENGTH
end

-- Runs the operation behind an among. Returns its answer, packed, and where the next operation begins.
function places_of_order.run_among(fields, at)
  local start = at + LENGTH
  local last = last_line(fields, start)
  places_of_order.behind_among(fields, at)
  local result = operations[fields[start]](fields, start, last)
  work.among = nil
  return result, last + LINE_LENGTH
end

composite('among', {prefetch = function(_, at) return at + LENGTH end, run = places_of_order.run_among})
