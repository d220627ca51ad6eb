-- Reads the names of the places that know the SKUs of an order, see lib/places_of_order.lua: their number is known
-- before they are unpacked, which takes a while for many.

do

-- Names that operations of one call unpack together, and so many take as long as one line: some 1 ms where they are
-- compared with the closed places, or those of a channel.
local NAMES_MAX, NAMES_PER_LINE = 3000, 40

-- The answer of an operation whose places are too many for one call, or their records too long: the ledger reads them
-- in slices, and sends it again with the names of those that count, see operations/among.lua. An explanation says so.
function places_of_order.too_wide(order, to_explain)
  if to_explain then return refused('sourcing_incomplete') end
  local wanted = {}
  for i, want in ipairs(order.wants) do wanted[i] = {want.sku, want.units} end
  return {'look_in_slices', order.channel, wanted, order.accept_shortage and true or false}
end

-- Whether SKUs are known at more places than one call looks at. Where some may not be taken from, that is known only
-- when their names are unpacked.
local function is_too_wide(order, count)
  local now = places_now()
  local may_be_less = now.closed or now.limited and place_rules.own(order.channel)
  return count > (may_be_less and NAMES_MAX or places_of_order.LOOK_ALONE_MAX)
end

-- What an order is answered whose SKUs are known at so many places that this call does not unpack their names, or nil.
local function instead_of_names(order, skus, count, to_explain)
  local has_read, has_room = unstocked.has_read(skus)
  if is_too_wide(order, count) or not has_room or not has_read and to_explain then
    return places_of_order.too_wide(order, to_explain)
  end
  if not has_read and not is_alone then return {'retry_with_weight', places_of_order.WEIGHT_ALONE} end
  if to_explain or is_alone or work.names + count <= NAMES_MAX then return nil end
  return {'retry_with_weight', order.count + floor(count / NAMES_PER_LINE)}
end

-- Adds a place to those of a want, where it is none of them.
local function add_place(want, location)
  for _, name in ipairs(want.all) do
    if name == location then return end
  end
  table.insert(want.all, location)
end

-- Names of places as they are called now, each once.
local function current_places(names)
  if not places_now().names then return names end
  local current, seen = {}, {}
  for _, name in ipairs(names) do
    local now = place_rules.current(name)
    if not seen[now] then current[#current + 1], seen[now] = now, true end
  end
  return current
end

-- Sets the places that were named, see operations/among.lua; `main`, where the SKU is known there; and those that this
-- call has changed: a return of an exchange may have brought units there. Returns whether all wants have named ones.
local function set_named(order)
  local by_sku = {}
  for _, want in ipairs(order.wants) do
    local names = work.among.names[want.sku]
    if not names then return false end
    want.all, want.elsewhere = current_places(names), work.among.elsewhere[want.sku] or 0
    by_sku[want.sku] = want
    if stock_entry(want.sku, DEFAULT_LOCATION).record then add_place(want, DEFAULT_LOCATION) end
  end
  for _, entry in ipairs(changed_stock) do
    if by_sku[entry.sku] then add_place(by_sku[entry.sku], place_rules.current(entry.location)) end
  end
  return true
end

-- Reads which places know the SKUs, those that this call has made included. Returns nil, or the answer in place of the
-- order's own.
function places_of_order.read_names(order, to_explain)
  if work.among then return not set_named(order) and places_of_order.too_wide(order, to_explain) or nil end
  local skus = {}
  for i, want in ipairs(order.wants) do skus[i] = want.sku end
  local _, count = unstocked.count_locations(skus)
  local instead = instead_of_names(order, skus, count, to_explain)
  if instead then return instead end
  if unstocked.read_rest(skus) then
    _, count = unstocked.count_locations(skus)
    if is_too_wide(order, count) then return places_of_order.too_wide(order, to_explain) end
  end
  work.names = work.names + count
  local known = unstocked.locations_of(skus)
  for _, want in ipairs(order.wants) do want.all = known[want.sku] or NONE end
  return nil
end

end
