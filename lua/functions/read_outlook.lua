-- read_outlook: reads the available units of a SKU and its expected receipts. What lies is read before what is
-- expected, so a receipt that comes between two calls counts once or not at all, and never twice. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] supply  [12] supply_skus, see
--       mutate_expected_receipts.lua
-- ARGV  [1] limits  [2] MessagePack [sku, location or "" for all, from (0 at first)]
-- Reply MessagePack [now_ms, [[location, available, seq, units that lines wait for], …], from (0: that is all),
--       [[receipt id, record], …], [location, …]: those that are closed, where nothing is available, see
--       lib/places.lua, ids]
--         from  where the next call has to go on; there are no expected receipts then
--         ids   of the expected receipts, where there are so many that they are to be read apart; all closed locations
--               are named then

local function available_at(entries)
  local levels = {}
  for _, entry in ipairs(entries or NONE) do
    if entry.record then
      local backorder = entry.record[Stock.backorder]
      local waiting = backorder and backorder[Backorder.waiting] or 0
      levels[#levels + 1] = {entry.location, shown_units(entry, nil), entry.record[Stock.seq], waiting}
    end
  end
  return levels
end

local function receipts_of(key, ids, wanted)
  local expected = {}
  for i, packed_record in ipairs(hash_get_many(key, ids)) do
    local record = packed_record and unpack_msg(packed_record)
    local location = record and place_rules.current(record[Receipt.location])
    if record and (wanted == '' or place_rules.current(wanted) == location) then
      record[Receipt.location] = location
      expected[#expected + 1] = {ids[i], record}
    end
  end
  return expected
end

-- The closed locations of levels and expected receipts; one can be named twice.
local function closed_of(levels, expected)
  local closed, found = places_now().closed or NONE, {}
  for _, level in ipairs(levels) do
    if closed[level[1]] then found[#found + 1] = level[1] end
  end
  for _, receipt in ipairs(expected) do
    local location = receipt[2][Receipt.location]
    if closed[location] then found[#found + 1] = location end
  end
  return found
end

local function all_closed()
  local found = {}
  for location in pairs(places_now().closed or NONE) do found[#found + 1] = location end
  return found
end

local function read_outlook(args, keys)
  local sku, wanted, from = unpack(unpack_msg(args[2]))
  local search = looking.search({sku}, wanted, from)
  looking.begin()
  looking.go_on(search, looking.left())
  looking.load()
  local following = looking.finish(search)
  local levels = available_at(search.found[1])
  if following ~= 0 then return pack({NOW_MS, levels, following, NONE, closed_of(levels, NONE), NONE}) end
  local list = call('HGET', keys[12], aliases.name_of(sku))
  if packed_lists.length(list) > looking.left() then
    -- The ids are already packed as they stand.
    return concat({array_of(6), pack(NOW_MS), pack(levels), pack(0), pack(NONE), pack(all_closed()), list})
  end
  local expected = receipts_of(keys[11], list and unpack_msg(list) or NONE, wanted)
  return pack({NOW_MS, levels, 0, expected, closed_of(levels, expected), NONE})
end

register('read_outlook', read_outlook, {'no-writes'})
