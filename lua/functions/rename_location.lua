-- rename_location: gives a location another name, in steps; see lib/places.lua and lib/aliases.lua.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] locations, see describe_locations.lua
--       [12] likeness  [13] replenishment  [14] safety_applied
-- ARGV  [1] limits  [2] MessagePack, one of
--         ["begin", actor, old, new, description as it is or "", as it is to be under the old name meanwhile, under the
--          new one, version of the folds, {old name, new name, the last -> fold}, allow_similar, what the door makes of
--          the old name, "" for the same, why, which the first change has, or ""]
--         ["move", actor, old, new, [sku, …]]  moves these SKUs, as far as they lie there under the old name
--         ["end", actor, old, new]             nothing lies under the old name any more
-- Reply MessagePack [outcome, SKUs that were moved, the location that the new name is like]
--         outcome  "renamed", also where that was done before; unknown_location · name_taken · name_cycle
--                  · renamed_before · rename_unfinished (another one, or of a SKU) · too_many_names · similar_name
--                  · names_unread: the index of names is not complete yet
--                  · "described": the description is another by now
--
-- From "begin" on, both names mean the same. Both are registered until the end: a process that has not read of the new
-- one yet finds SKUs by the old one. A call of "move" moves each of its SKUs whole: the stock record, its place
-- in the list, the log of on_hand, the rules that stand by SKU and location. So a kill leaves each under one name.
-- The journal has a change "renamed" with two lines for each SKU, and one without lines for "begin" and for "end".

local locations = {} -- all functions of this file: a chunk has room for few more locals

local NAMES_MAX = 1000 -- old names of locations in a partition: all are read whenever one is renamed
local LOCATIONS_AT, LIKENESS_AT, PLACE_KEYS = 11, 12, {13, 14} -- places in KEYS
local VERSION = '\0version' -- see describe_locations.lua

-- Sets what locations are called, and which of them move.
function locations.set_names(names, moving, closed)
  local values = {'location_names', pack(names), 'moving_locations', pack(moving)}
  if closed then push(values, 'closed', pack(closed)) end
  place_rules.change(values, NONE)
end

function locations.copied(set)
  local copy = {}
  for key, value in pairs(set or NONE) do copy[key] = value end
  return copy
end

-- Why a location cannot be renamed, or nil; and the known one that the new name is like.
function locations.refusal(keys, old, new, version, folds, is_allowed)
  local now, count = places_now(), 0
  local names, of = now.names or NONE, aliases.known()
  for _ in pairs(names) do count = count + 1 end
  if names[old] then return 'renamed_before' end
  if now.moving or of and of.is_moving then return 'rename_unfinished' end
  if names[new] == old then return 'name_cycle' end
  if count >= NAMES_MAX then return 'too_many_names' end
  likeness.begin(keys[LIKENESS_AT])
  likeness.ask(version, is_allowed, NONE, folds)
  local is_known, is_taken = likeness.knows('location', old), likeness.knows('location', new)
  if is_known == nil then return 'names_unread' end
  if not is_known and call('HEXISTS', keys[LOCATIONS_AT], old) == 0 then return 'unknown_location' end
  if is_taken or names[new] or new == DEFAULT_LOCATION then return 'name_taken' end
  local alike, is_own = call('HGET', keys[LIKENESS_AT], 'location\0' .. folds[new]), true
  for name in (alike or ''):gmatch('%Z+') do is_own = is_own and place_rules.current(name) == old end
  likeness.ask(version, is_allowed or is_own, NONE, folds)
  local other = likeness.name('location', new)
  if other then return 'similar_name', other end
  return nil
end

-- Describes locations, or (false) describes them no more, as describe_locations.lua does.
function locations.describe(key, descriptions)
  local before = call('HGET', key, VERSION) or '0'
  for name, description in pairs(descriptions) do
    if description then call('HSET', key, name, description) else call('HDEL', key, name) end
  end
  local after = string.format('%.0f', call('HINCRBY', key, VERSION, 1))
  if (call('HGET', META, 'closed_as_of') or '0') == before then call('HSET', META, 'closed_as_of', after) end
end

-- Writes the alias, flat. What is closed is closed under both names, until all has moved.
function locations.begin(keys, actor, old, new, before, meanwhile, after, version, folds, is_allowed, asked, reason)
  local key = keys[LOCATIONS_AT]
  if (places_now().names or NONE)[old] == new then return 'renamed' end
  local refusal, other = locations.refusal(keys, old, new, version, folds, is_allowed)
  if refusal then return refusal, other end
  if (call('HGET', key, old) or '') ~= before then return 'described' end
  local names, closed, notes = locations.copied(places_now().names), nil, {{'location', old}, {'to', new}}
  for name, now in pairs(names) do
    if now == old then names[name] = new end
  end
  names[old] = new
  local is_other = asked == '' or asked == new or names[asked] or likeness.knows('location', asked)
  if not is_other then names[asked] = new end -- a name that was stored before there was a door is found so, too
  if place_rules.is_closed(old) then
    closed = {new}
    for name in pairs(places_now().closed) do closed[#closed + 1] = name end
    notes[#notes + 1] = {'closed', new}
  end
  locations.set_names(names, {[new] = old}, closed)
  if before ~= '' then locations.describe(key, {[old] = meanwhile, [new] = after}) end
  if reason ~= '' then notes[#notes + 1] = {'reason', reason} end
  notes[#notes + 1] = {'places', places_now().version}
  journal('renamed', actor, '', '', '', NONE, notes)
  write()
  likeness.write()
  return 'renamed'
end

-- Moves what is kept beside the stock of a SKU at the location.
function locations.move_rules(keys, fields)
  for _, place in ipairs(PLACE_KEYS) do
    local olds, kept, gone = {}, {}, {}
    for i, pair in ipairs(fields) do olds[i] = pair[1] end
    for i, value in ipairs(hash_get_many(keys[place], olds)) do
      if value then
        push(kept, fields[i][2], value)
        gone[#gone + 1] = olds[i]
      end
    end
    flush('HSET', keys[place], kept)
    flush('HDEL', keys[place], gone)
  end
end

-- Writes the lists of places of SKUs that have moved.
function locations.write_lists(skus, old, new)
  local pairs_to_set = {}
  for i, list in ipairs(hash_get_many(SKUS, skus)) do
    if list then push(pairs_to_set, skus[i], packed_lists.renamed(list, old, new)) end
  end
  flush('HSET', SKUS, pairs_to_set)
end

-- Moves SKUs. One that lies under both names, which no release does that knows of them, stays as it is.
function locations.move(keys, actor, old, new, skus)
  if (places_now().moving or NONE)[new] ~= old then return 'renamed', 0 end
  local from, to, moved, fields, journal_lines = {}, {}, {}, {}, {}
  for i, sku in ipairs(skus) do from[i], to[i] = sku .. '\0' .. old, sku .. '\0' .. new end
  local records, there = hash_get_many(STOCK, from), hash_get_many(STOCK, to)
  for i, sku in ipairs(skus) do
    if not there[i] then
      if records[i] then aliases.move_place(sku, old, new, records[i], journal_lines) end
      moved[#moved + 1], fields[#fields + 1] = sku, {from[i], to[i]}
    end
  end
  if #journal_lines > 0 then journal('renamed', actor, '', '', '', journal_lines, {{'location', old}, {'to', new}}) end
  write()
  locations.write_lists(moved, old, new)
  locations.move_rules(keys, fields)
  if #moved > 0 then call('HINCRBY', META, 'location_moved', #moved) end
  return 'renamed', #moved
end

function locations.finish(keys, actor, old, new)
  if (places_now().moving or NONE)[new] ~= old then return 'renamed' end
  local closed, notes = nil, {{'location', old}, {'to', new}, {'done', new}}
  if (places_now().closed or NONE)[old] then
    closed = {}
    for name in pairs(places_now().closed) do
      if name ~= old then closed[#closed + 1] = name end
    end
    notes[#notes + 1] = {'opened', old}
  end
  locations.set_names(places_now().names, {}, closed)
  call('HDEL', META, 'location_moved')
  if call('HEXISTS', keys[LOCATIONS_AT], old) == 1 then locations.describe(keys[LOCATIONS_AT], {[old] = false}) end
  notes[#notes + 1] = {'places', places_now().version}
  journal('renamed', actor, '', '', '', NONE, notes)
  write()
  return 'renamed'
end

function locations.rename(args, keys)
  local step, actor, old, new = unpack(unpack_msg(args[2]))
  if step == 'move' then
    local outcome, moved = locations.move(keys, actor, old, new, unpack_msg(args[2])[5])
    return pack({outcome, moved, ''})
  end
  if step == 'end' then return pack({locations.finish(keys, actor, old, new), 0, ''}) end
  local outcome, other = locations.begin(keys, unpack(unpack_msg(args[2]), 2))
  return pack({outcome, 0, other or ''})
end

register('rename_location', locations.rename)
