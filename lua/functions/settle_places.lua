-- settle_places: makes the closed locations, the locations of the channels, or the mirrored ones, those that the caller
-- has read.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] locations, see describe_locations.lua
-- ARGV  [1] limits  [2] MessagePack, one of
--         ["closed", as_of, [location, …]]   all that are closed by the version as_of of the hash locations
--         ["limit", channel]                 the channel is limited to the locations of [3], MessagePack [location, …]
--         ["limited", [channel, …]]          all channels that are; others are limited no more
--         ["mirrored", before, {location -> actor}]  all that somebody else fills; others are written by anybody.
--           before: what the caller has read, for several may take a location at once; 0: whatever it is
-- Reply MessagePack [whether it is settled, version of the places]. Not settled: call again; where locations have
--       changed since as_of, or since before was read, with what is so now
--
-- A store of an older release has the descriptions alone, and such a release can run beside this one. And the locations
-- of a channel are known to whoever has its configuration. One call takes one channel, or opens and closes a few
-- hundred locations. What it did is whole, so a caller that is killed in between leaves nothing to mend: the next one
-- goes on.

local DIFFERENCES_MAX = 500 -- locations that one call closes and opens
local PLACES_OF = 'places_of \0' -- see lib/places.lua

-- Returns the locations that are closed after some of the differences, the notes for the journal, which says what has
-- become closed or open, and whether these are all.
local function some_differences(closed, before)
  local now, after, notes, left = {}, {}, {}, DIFFERENCES_MAX
  for _, name in ipairs(closed) do
    now[name] = true
    if before[name] then
      after[#after + 1] = name
    elseif left > 0 then
      after[#after + 1], notes[#notes + 1], left = name, {'closed', name}, left - 1
    else
      left = -1
    end
  end
  for name in pairs(before) do
    if not now[name] and left > 0 then
      notes[#notes + 1], left = {'opened', name}, left - 1
    elseif not now[name] then
      after[#after + 1], left = name, -1
    end
  end
  return after, notes, left >= 0
end

local function settle_closed(locations_key, as_of, closed)
  if (call('HGET', locations_key, '\0version') or '0') ~= as_of then return false end
  local after, notes, are_all = some_differences(closed, places_now().closed or NONE)
  if #notes > 0 then
    place_rules.set_closed(after)
    journal_places('system', notes)
    write()
  end
  if are_all then call('HSET', META, 'closed_as_of', as_of) end
  return are_all
end

local function names_of(set)
  local names = {}
  for name in pairs(set or NONE) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function limit(channel, packed_names)
  local limited = places_now().limited or NONE
  if limited[channel] and call('HGET', META, PLACES_OF .. channel) == packed_names then return end
  local names = names_of(limited)
  if not limited[channel] then names[#names + 1] = channel end
  place_rules.change({PLACES_OF .. channel, packed_names, 'limited_channels', pack(names)}, NONE)
end

local function limit_only(channels)
  local kept, gone, names = {}, {}, {}
  for _, channel in ipairs(channels) do kept[channel] = true end
  for _, channel in ipairs(names_of(places_now().limited)) do
    if kept[channel] then names[#names + 1] = channel else gone[#gone + 1] = PLACES_OF .. channel end
  end
  if #gone == 0 then return end
  if #names == 0 then gone[#gone + 1] = 'limited_channels' end
  place_rules.change(#names > 0 and {'limited_channels', pack(names)} or NONE, gone)
end

local function are_same(fillers, others)
  for location, filler in pairs(fillers) do
    if others[location] ~= filler then return false end
  end
  for location in pairs(others) do
    if fillers[location] == nil then return false end
  end
  return true
end

-- Returns whether the mirrored locations are these now; not, where they are not any more what the caller has read.
local function mirror(before, fillers)
  local now = places_now().mirrored or NONE
  if are_same(now, fillers) then return true end
  if before ~= 0 and not are_same(now, before) then return false end
  if next(fillers) then place_rules.change({'mirrored', pack(fillers)}, NONE)
  else place_rules.change(NONE, {'mirrored'}) end
  return true
end

local function settle_places(args, keys)
  local kind, subject, named = unpack(unpack_msg(args[2])) -- named: the closed, or the mirrored ones
  local is_settled = true
  if kind == 'closed' then is_settled = settle_closed(keys[11], subject, named)
  elseif kind == 'limit' then limit(subject, args[3])
  elseif kind == 'mirrored' then is_settled = mirror(subject, named)
  else limit_only(subject) end
  return pack({is_settled, places_now().version})
end

register('settle_places', settle_places)
