-- settle_places: makes the closed locations, or the locations of the channels, those that the caller has read.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] locations, see describe_locations.lua
-- ARGV  [1] limits  [2] MessagePack [as_of, closed, channel_places]
--         as_of           the version of the hash locations that was read; "": closed is not to be set
--         closed          [location, …], all of them
--         channel_places  {channel -> [location, …]} of all channels that are limited to some, or false: not to be set
-- Reply MessagePack [whether it was settled, version of the places]; not where locations have changed since as_of
--
-- A store of an older release has the descriptions alone, and such a release can run beside this one. And the locations
-- of a channel are known to whoever has its configuration.

local function is_same(names, set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  if count ~= #names then return false end
  for _, name in ipairs(names) do
    if not set[name] then return false end
  end
  return true
end

-- Notes for the journal: which locations have become closed or open.
local function differences(closed, before)
  local now, notes = {}, {}
  for _, name in ipairs(closed) do
    now[name] = true
    if not before[name] then notes[#notes + 1] = {'closed', name} end
  end
  for name in pairs(before) do
    if not now[name] then notes[#notes + 1] = {'opened', name} end
  end
  return notes
end

local function is_same_for_channels(wanted)
  local now, count = places_now().of_channel or NONE, 0
  for channel, names in pairs(wanted) do
    count = count + 1
    if not now[channel] or not is_same(names, now[channel]) then return false end
  end
  for _ in pairs(now) do count = count - 1 end
  return count == 0
end

local function settle_closed(as_of, closed)
  local before = places_now().closed or NONE
  if not is_same(closed, before) then
    local notes = differences(closed, before)
    set_places({closed = closed})
    journal_places('system', notes)
    write()
  end
  call('HSET', META, 'closed_as_of', as_of)
end

local function settle_places(args, keys)
  local as_of, closed, channel_places = unpack(unpack_msg(args[2]))
  if as_of ~= '' then
    if (call('HGET', keys[11], '\0version') or '0') ~= as_of then return pack({false, places_now().version}) end
    settle_closed(as_of, closed)
  end
  if channel_places and not is_same_for_channels(channel_places) then set_places({channel_places = channel_places}) end
  return pack({true, places_now().version})
end

register('settle_places', settle_places)
