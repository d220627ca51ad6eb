-- rename_sku: gives a SKU another name, or goes on with that where it has many places. See lib/aliases.lua.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] categories  [12] replenishment
--       [13] safety_applied  [14] supply_skus  [15] likeness  [16] sold_out
--       [17…] for each channel: its listings, keys (key -> SKU of its listing) and components
-- ARGV  [1] limits  [2] MessagePack [actor, old name, new name, how many places to move, [channel, …], version of the
--       folds, {old name, new name -> fold}, allow_similar, what the door makes of the old name, "" for the same,
--       why, which the first change has, or ""]
-- Reply MessagePack [outcome, whether places are left: it is to be called again, the SKU that the new name is like]
--         outcome  "renamed", also where that was done before; unknown_sku · name_taken · name_cycle · renamed_before
--                  · rename_unfinished (another rename of it) · too_many_names · similar_name
--
-- The first call writes the alias and moves the list of places, so from then on both names mean the same. Each call
-- moves some places with all that is kept about them; the last one moves the listings. With no places to move, it only
-- begins: packs and bundles take the new name then, before the places. The journal has a change "renamed" for each
-- call: two lines for each place, by which its units leave one name and come to the other.
-- The old name stays among those that a new name must not be like: it still means the SKU.

local NAMES_MAX = 100 -- that one SKU has had: each queue of lines that wait is read under all of them

local PLACE_KEYS = {12, 13} -- places in KEYS of the hashes by SKU and location
local LIKENESS_AT, SOLD_OUT_AT = 15, 16 -- places in KEYS
local CHANNELS_AT, KEYS_OF_CHANNEL = 17, 3 -- place of the first channel's keys in KEYS, and how many each has

-- Why a name cannot be taken, or nil.
local function refusal_of_new(keys, old, new)
  local alias_of = call('HGET', aliases.key, new)
  if alias_of == old then return 'name_cycle' end
  if alias_of or call('HEXISTS', SKUS, new) == 1 or call('HEXISTS', keys[14], new) == 1 then return 'name_taken' end
  for at = CHANNELS_AT, #keys, KEYS_OF_CHANNEL do
    if call('HEXISTS', keys[at], new) == 1 then return 'name_taken' end
  end
  return nil
end

-- Why a SKU cannot be renamed, or nil; and the names that it has had.
local function refusal_of_old(of, old)
  if call('HEXISTS', aliases.key, old) == 1 then return 'renamed_before' end
  if call('HEXISTS', SKUS, old) == 0 then return 'unknown_sku' end
  if of and of.moving[old] or places_now().moving then return 'rename_unfinished' end
  local packed = call('HGET', aliases.key, '\0' .. old)
  local names = packed and unpack_msg(packed) or {}
  if #names >= NAMES_MAX then return 'too_many_names' end
  return nil, names
end

-- The known SKU that the new name is like, or nil: then it is known from now on. Its own names may be like it.
local function similar_to(keys, old, new, version, folds, is_allowed)
  local alike, is_own = call('HGET', keys[LIKENESS_AT], 'sku\0' .. folds[new]), true
  for name in (alike or ''):gmatch('%Z+') do is_own = is_own and aliases.current(name) == old end
  likeness.begin(keys[LIKENESS_AT])
  likeness.ask(version, is_allowed or is_own, {[new] = folds[new]}, NONE)
  return likeness.name('sku', new)
end

local function move_field(key, old, new)
  local value = call('HGET', key, old)
  if not value then return end
  call('HSET', key, new, value)
  call('HDEL', key, old)
end

-- Writes the alias, flat, and moves what is kept once for a SKU. A name that was stored before there was a door is
-- found by what that makes of it, too, unless it is another SKU's.
local function write_alias(keys, old, new, names, asked)
  names[#names + 1] = old
  local is_other = asked == new or call('HEXISTS', SKUS, asked) == 1 or call('HEXISTS', aliases.key, asked) == 1
  if asked ~= '' and not is_other then names[#names + 1] = asked end
  local flat = {}
  for _, name in ipairs(names) do push(flat, name, new) end
  push(flat, '\0' .. new, pack(names))
  flush('HSET', aliases.key, flat)
  call('HDEL', aliases.key, '\0' .. old)
  move_field(SKUS, old, new)
  move_field(keys[11], old, new)
  move_field(keys[14], old, new)
  move_field(keys[12], old .. '\0', new .. '\0')
  if call('SREM', keys[SOLD_OUT_AT], old) == 1 then call('SADD', keys[SOLD_OUT_AT], new) end
  likeness.write()
end

-- Moves what is kept for each of some places beside the stock.
local function move_rules(keys, old, new, names)
  for _, place in ipairs(PLACE_KEYS) do
    local fields, kept, gone = {}, {}, {}
    for i = 2, #names do fields[#fields + 1] = old .. '\0' .. names[i] end
    for i, value in ipairs(hash_get_many(keys[place], fields)) do
      if value then
        push(kept, new .. '\0' .. names[i + 1], value)
        gone[#gone + 1] = fields[i]
      end
    end
    flush('HSET', keys[place], kept)
    flush('HDEL', keys[place], gone)
  end
end

-- A packed listing of another SKU, which is its first value. The others stay packed: Lua cannot tell {} from [].
local function with_sku(packed, sku)
  local count, from = packed_lists.measured(packed)
  local behind = unpack_some(packed, 1, from)
  return array_of(count) .. pack(sku) .. packed:sub(behind + 1)
end

-- Moves the listing of one channel, and tells its publisher. A SKU without one may be listed under its own name. One
-- that was listed under the new name meanwhile stays as it is.
local function move_listing(key, by_key, channel, actor, old, new)
  local packed, notes = call('HGET', key, old), {{'sku', old}, {'sku', new}}
  if not packed then
    table.insert(notes, 2, {'left_name', old})
  else
    local _, _, listed_as = unpack_some(packed, 2, select(2, packed_lists.measured(packed)))
    if call('HSETNX', key, new, with_sku(packed, new)) == 0 then table.insert(notes, 2, {'left_key', listed_as})
    elseif call('HGET', by_key, listed_as) == old then call('HSET', by_key, listed_as, new) end
    call('HDEL', key, old)
    call('HINCRBY', META, 'listings:' .. channel, 1)
  end
  journal('channel_listings', actor, channel, '', '', NONE, notes)
end

-- The places that this call moves, from 2 on, and where the next one goes on, or nil.
local function some_places(new, at, count)
  local list = call('HGET', SKUS, new)
  if packed_lists.length(list) == 0 then return {0} end
  return packed_lists.slice(list, at, count)
end

-- Moves some places. Returns whether some are left.
local function move_some(keys, actor, old, new, count, channels)
  local of = aliases.known()
  local names, following = some_places(new, of.moving[new][2], count)
  for i = 2, #names do want_stock(new, names[i]) end
  aliases.may_move = true
  load_stock()
  local moving = {}
  for name, state in pairs(of.moving) do moving[name] = state end
  moving[new] = following and {old, following} or nil
  if not following then
    for i, channel in ipairs(channels) do
      local at = CHANNELS_AT + KEYS_OF_CHANNEL * (i - 1)
      move_listing(keys[at], keys[at + 1], channel, actor, old, new)
    end
  end
  write()
  move_rules(keys, old, new, names)
  aliases.set(moving)
  return following ~= nil
end

local function rename_sku(args, keys)
  local actor, old, new, count, channels, version, folds, is_allowed, asked, reason = unpack(unpack_msg(args[2]))
  local of = aliases.known()
  if call('HGET', aliases.key, old) == new then
    local is_left = of.moving[new] ~= nil
    if is_left and count > 0 then is_left = move_some(keys, actor, old, new, count, channels) end
    return pack({'renamed', is_left, ''})
  end
  local refusal, names = refusal_of_old(of, old)
  refusal = refusal or refusal_of_new(keys, old, new)
  if refusal then return pack({refusal, false, ''}) end
  local other = similar_to(keys, old, new, version, folds, is_allowed)
  if other then return pack({'similar_name', false, other}) end
  write_alias(keys, old, new, names, asked)
  for _, channel in ipairs(channels) do call('HINCRBY', META, 'listings:' .. channel, 1) end
  aliases.sku_of = nil -- what was asked before
  local moving = {}
  for name, state in pairs(of and of.moving or NONE) do moving[name] = state end
  moving[new] = {old, 0}
  aliases.set(moving)
  journal('renamed', actor, '', '', '', NONE, notes_of({{'sku', old}, {'to', new}, {'reason', reason}}))
  if count > 0 then return pack({'renamed', move_some(keys, actor, old, new, count, channels), ''}) end
  write()
  return pack({'renamed', true, ''})
end

register('rename_sku', rename_sku)
