-- delete_location: forgets a location at which nothing lies and nothing is promised, in steps.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] locations, see describe_locations.lua
--       [12] likeness  [13] replenishment  [14] safety_applied
-- ARGV  [1] limits  [2] MessagePack, one of
--         ["look", actor, location, [sku, …]]         changes nothing: whether "drop" would be refused
--         ["drop", actor, location, [sku, …]]         forgets that these SKUs were there
--         ["end", actor, location, {name -> fold}]    forgets its description and its names; no SKU is there any more
-- Reply MessagePack [outcome, what it is about]
--         outcome  "deleted" · location_in_use (a SKU that has something there, or is known nowhere else)
--                  · rename_unfinished · "other_names": those of the location are not those that were sent
--
-- A call of "drop" is whole or does nothing. The journal has a change "deleted" for each, with a line for each SKU, by
-- which no unit moves; and one without lines for "end".

local deletion = {} -- all functions of this file: a chunk has room for few more locals

local LOCATIONS_AT, LIKENESS_AT, PLACE_KEYS = 11, 12, {13, 14} -- places in KEYS
local VERSION = '\0version' -- see describe_locations.lua

-- A packed list of places without one of them.
function deletion.without(list, location)
  local kept = {}
  for _, name in ipairs(unpack_msg(list)) do
    if name ~= location then kept[#kept + 1] = name end
  end
  return packed_lists.extended(false, kept)
end

-- Forgets records, with all that is kept beside them. lists: of the places of each SKU
function deletion.forget(keys, fields, skus, lists, location)
  for _, key in ipairs({STOCK, ON_HAND_LOG, keys[PLACE_KEYS[1]], keys[PLACE_KEYS[2]]}) do flush('HDEL', key, fields) end
  local counts_of = {}
  for i = 1, #fields do counts_of[i] = '\0' .. fields[i] end
  flush('HDEL', ON_HAND_LOG, counts_of)
  local kept = {}
  for i, list in ipairs(lists) do
    if list then push(kept, skus[i], deletion.without(list, location)) end
  end
  flush('HSET', SKUS, kept)
end

-- A SKU that is in the way, or nil: without a place, a list would be that of an untracked one.
function deletion.in_the_way(entries, skus, lists)
  for _, entry in ipairs(entries) do
    if not aliases.is_spent(entry.record) then return entry.sku end
  end
  for i, list in ipairs(lists) do
    if packed_lists.length(list) == 1 then return skus[i] end
  end
  return nil
end

function deletion.drop(keys, actor, location, skus, is_look)
  local entries, fields, journal_lines, seq = {}, {}, {}, partition_seq()
  for i, sku in ipairs(skus) do fields[i] = sku .. '\0' .. location end
  for i, packed_record in ipairs(hash_get_many(STOCK, fields)) do
    if packed_record then entries[#entries + 1] = stock_entry_of(skus[i], location, packed_record) end
  end
  local lists = hash_get_many(SKUS, skus)
  local sku = deletion.in_the_way(entries, skus, lists)
  if sku then return 'location_in_use', sku end
  if is_look then return 'deleted', '' end
  for i, entry in ipairs(entries) do
    journal_lines[i] = {0, entry.sku, location, 0, 0, 0, 0, 0, 0, 0, aliases.next_seq(entry.record)}
  end
  if #journal_lines > 0 then journal('deleted', actor, '', '', '', journal_lines, {{'location', location}}) end
  write()
  if last_seq > seq then call('HSET', META, 'seq', last_seq) end
  deletion.forget(keys, fields, skus, lists, location)
  return 'deleted', ''
end

-- Opens it and forgets its names.
function deletion.forget_names(location, names)
  local kept, closed, gone = {}, {}, {}
  for name, now in pairs(places_now().names or NONE) do
    if now ~= location then kept[name] = now end
  end
  for name in pairs(places_now().closed or NONE) do
    if name ~= location then closed[#closed + 1] = name end
  end
  local values = {'location_names', pack(kept)}
  if #closed > 0 then push(values, 'closed', pack(closed)) else gone[1] = 'closed' end
  local notes = {{'location', location}}
  if place_rules.is_closed(location) then notes[2] = {'opened', location} end
  place_rules.change(values, gone)
  for name, fold in pairs(names) do likeness.forget('location', fold, name) end
  return notes
end

function deletion.finish(keys, actor, location, folds)
  local key = keys[LOCATIONS_AT]
  for _, name in ipairs(place_rules.names_of(location)) do
    if not folds[name] then return 'other_names', '' end
  end
  likeness.begin(keys[LIKENESS_AT])
  local notes = deletion.forget_names(location, folds)
  if call('HDEL', key, location) == 1 then
    local after = call('HINCRBY', key, VERSION, 1)
    if (call('HGET', META, 'closed_as_of') or '0') == string.format('%.0f', after - 1) then
      call('HSET', META, 'closed_as_of', string.format('%.0f', after))
    end
  end
  notes[#notes + 1] = {'places', places_now().version}
  journal('deleted', actor, '', '', '', NONE, notes)
  write()
  likeness.write()
  return 'deleted', ''
end

function deletion.delete(args, keys)
  local step, actor, location, more = unpack(unpack_msg(args[2]))
  if places_now().moving then return pack({'rename_unfinished', ''}) end
  if step == 'end' then return pack({deletion.finish(keys, actor, location, more)}) end
  return pack({deletion.drop(keys, actor, location, more, step == 'look')})
end

register('delete_location', deletion.delete)
