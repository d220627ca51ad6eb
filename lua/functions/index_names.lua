-- index_names: notes names that were stored before, so that those like them are not new; a part at a time.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] likeness     hash  see lib/likeness.lua
--       [12] supply_skus  hash  sku -> ids of its expected receipts
-- ARGV  [1] limits  [2] MessagePack [version of the folds, [[sku, fold], …], [[location, fold], …], whether a location
--       was registered, whether these are the last]
-- Reply MessagePack: whether they were noted; false: the hash has folds of a later table
--
-- A SKU that is gone by now is left out, but not an old name of one. It can be repeated and interrupted without harm.

local NAME, FOLD = 1, 2 -- places in a name

-- Whether each of some SKUs is still stored.
local function are_stored(named, supply_skus)
  local skus = {}
  for i, each in ipairs(named) do skus[i] = each[NAME] end
  local known, expected = hash_get_many(SKUS, skus), hash_get_many(supply_skus, skus)
  local stored, old = {}, hash_get_many(aliases.key, skus)
  for i = 1, #skus do stored[i] = known[i] or expected[i] or old[i] end
  return stored
end

local function index_names(args, keys)
  local version, skus, locations, is_registered, is_last = unpack(unpack_msg(args[2]))
  likeness.begin(keys[11])
  if not likeness.open(version) then return pack(false) end
  local stored = are_stored(skus, keys[12])
  for i, each in ipairs(skus) do
    if stored[i] then likeness.add('sku', each[FOLD], each[NAME]) end
  end
  for _, each in ipairs(locations) do likeness.add('location', each[FOLD], each[NAME]) end
  if is_registered then likeness.register() end
  likeness.write()
  if is_last then likeness.complete() end
  return pack(true)
end

register('index_names', index_names)
