-- Reads the names of the places that know the SKUs of an order, see lib/places_of_order.lua: their number is known
-- before they are unpacked, which takes a while for many.

do

-- Names that operations of one call unpack together, and one in a call of its own: some 1 and 2 ms. So many take as
-- long as one line.
local NAMES_MAX, NAMES_ALONE_MAX, NAMES_PER_LINE = 10000, 20000, 40

-- What an order is answered whose SKUs are known at so many places that this call does not unpack their names, or nil.
local function refusal_of_names(order, skus, count, to_explain)
  local has_read, has_room = unstocked.has_read(skus)
  if (count > NAMES_ALONE_MAX or not has_room) and not order.accept_shortage then
    return refused('sourcing_incomplete')
  end
  if not has_read and to_explain then return refused('sourcing_incomplete') end
  if not has_read and not is_alone then return {'retry_with_weight', places_of_order.WEIGHT_ALONE} end
  if to_explain or is_alone or work.names + count <= NAMES_MAX then return nil end
  if count > NAMES_MAX then return {'retry_with_weight', places_of_order.WEIGHT_ALONE} end
  return {'retry_with_weight', order.count + floor(count / NAMES_PER_LINE)}
end

-- The first places of each want, and `main`: of what is sold already, not all need be looked at.
local function read_first_places(order)
  local most = floor(NAMES_ALONE_MAX / #order.wants)
  for _, want in ipairs(order.wants) do
    local names, has_main = unstocked.first_locations(want.sku, most), false
    for i = 1, #names do has_main = has_main or names[i] == DEFAULT_LOCATION end
    if not has_main and stock_entry(want.sku, DEFAULT_LOCATION).record then names[#names + 1] = DEFAULT_LOCATION end
    want.all = names
  end
end

-- Sets the places that were named, see operations/among.lua, and those that this call has changed: a return of an
-- exchange may have brought units there.
local function set_named(order)
  local by_sku = {}
  for _, want in ipairs(order.wants) do
    want.all, by_sku[want.sku] = work.among.names[want.sku] or {}, want
    want.elsewhere = work.among.elsewhere[want.sku] or 0
  end
  for _, entry in ipairs(changed_stock) do
    local want, is_named = by_sku[entry.sku], false
    for i = 1, want and #want.all or 0 do is_named = is_named or want.all[i] == entry.location end
    if want and not is_named then want.all[#want.all + 1] = entry.location end
  end
end

-- Reads which places know the SKUs, those that this call has made included. Returns nil, or the answer in place of the
-- order's own.
function places_of_order.read_names(order, to_explain)
  if work.among then
    set_named(order)
    return nil
  end
  local skus = {}
  for i, want in ipairs(order.wants) do skus[i] = want.sku end
  local _, count = unstocked.count_locations(skus)
  local refusal = refusal_of_names(order, skus, count, to_explain)
  if refusal then return refusal end
  if unstocked.read_rest(skus) then _, count = unstocked.count_locations(skus) end
  work.names = work.names + min(count, NAMES_ALONE_MAX)
  if count > NAMES_ALONE_MAX then
    read_first_places(order)
    return nil
  end
  local known = unstocked.locations_of(skus)
  for _, want in ipairs(order.wants) do want.all = known[want.sku] or NONE end
  return nil
end

end
