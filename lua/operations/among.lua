-- among: names the places from which the operation behind it may take units without a location: a reserve or order
-- (with a source in front of it or without), an edit or map_lines. The ledger sends it where a SKU is known at too many
-- places for one call: it has read them before, and names those that count, see server/store/ledger/wide_orders.py.
--
-- op      [1 tag, 2 {SKU -> [name, …]}, 3 {SKU -> units at the other places, a shortage there subtracted}], then the
--         operation
-- Effect  that of the operation, as if units could be taken from no other place but `main`. What is available is looked
--         up now, so names that are out of date promise nothing that is not there.
-- Answers those of the operation; look_in_slices also where it asks for a SKU of which no places were named, for the
--         reservation has changed meanwhile

-- Places of the fields, counted from the tag; and how many stand in front of the operation.
local AMONG_AT, LENGTH = {names = 1, elsewhere = 2}, 3

-- The place of the operation at or behind `at`; what an among in front of it says is set.
function places_of_order.behind_among(fields, at)
  if fields[at] ~= 'among' then return at end
  local names, elsewhere = {}, {}
  for sku, of_sku in pairs(fields[at + AMONG_AT.names]) do
    local name = aliases.current(sku) -- two names of one SKU have the same places
    names[name], elsewhere[name] = of_sku, fields[at + AMONG_AT.elsewhere][sku]
    names[sku], elsewhere[sku] = names[name], elsewhere[name] -- where places still move to a new name
  end
  work.among = {names = names, elsewhere = elsewhere}
  return at + LENGTH
end

-- Runs the operation behind an among. Returns its answer, packed, and where the next operation begins.
function places_of_order.run_among(fields, at)
  local result, following = work.run_at(fields, places_of_order.behind_among(fields, at))
  work.among = nil
  return result, following
end

composite('among', {prefetch = function(_, at) return at + LENGTH end, run = places_of_order.run_among})
