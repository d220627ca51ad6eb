-- Where units may be taken from: which locations are closed, and which ones a channel is limited to.
--
-- Both are fields of the hash meta. They change rarely, so what is unpacked is kept from call to call by its version:
--   places          the version: milliseconds of the store's clock, greater with each change; it is read with seq
--   closed          MessagePack [location, …]
--   channel_places  MessagePack {channel -> [location, …]}: of the channels whose rules name locations
--   closed_as_of    the version of the hash locations that closed is made of, see functions/settle_places.lua
-- A location is open unless it is among the closed ones, whether it was described or not.
--
-- load_partition() reads all of this, once per call; the functions do it where it was not done
-- partition_seq()  the last seq of the partition, this call included
-- places_now()     {version, closed (location -> true), of_channel (channel -> {location -> true})}; the last two are
--                  nil where there are none
-- places_version() the version as a number, 0 before the first change
-- units_short()    units by which available is below zero anywhere, as it was when the call began; more where the call
--                  itself may have made units short, see note_short()
-- main_is_free     nothing is closed, limited or short, so that orders need not ask further; false where not known
-- set_places()     writes one or both at once, so only functions use it that have nothing else to check

local load_partition, partition_seq, places_now, places_version, units_short, note_short, may_take_from, set_places

do

local PARTITIONS_KEPT_MAX = 1000 -- then all are dropped: many partitions must not fill the memory

local NO_PLACES = {version = '0', closed = nil, of_channel = nil}

local kept_places, kept_count = {}, 0 -- by the name of the partition's hash meta

local function set_of(names)
  local set = {}
  for i = 1, #names do set[names[i]] = true end
  return set
end

-- The places of channels. What was unpacked before is used again: each closing is a new version, and the names of many
-- channels are many.
local function places_of_channels(packed, before)
  if not packed then return nil end
  if before and before.packed_channels == packed then return before.of_channel end
  local of_channel = {}
  for channel, names in pairs(unpack_msg(packed)) do of_channel[channel] = set_of(names) end
  return of_channel
end

-- Reads and unpacks the places of the partition.
local function read_places(version)
  local packed = call('HMGET', META, 'closed', 'channel_places')
  local now = {
    version = version, closed = packed[1] and set_of(unpack_msg(packed[1])) or nil,
    of_channel = places_of_channels(packed[2], kept_places[META]), packed_channels = packed[2],
  }
  if not kept_places[META] then
    if kept_count == PARTITIONS_KEPT_MAX then kept_places, kept_count = {}, 0 end
    kept_count = kept_count + 1
  end
  kept_places[META] = now
  return now
end

-- Reads what every call that reserves needs of the partition, in one command.
function load_partition()
  local found = call('HMGET', META, 'seq', 'places', 'shortage')
  local version = found[2]
  last_seq, short_units = tonumber(found[1] or 0), found[3] and tonumber(found[3]) or 0
  if not version then
    places = NO_PLACES
  else
    places = kept_places[META]
    if not places or places.version ~= version then places = read_places(version) end
  end
  main_is_free = short_units == 0 and not places.closed and not places.of_channel
end

function partition_seq()
  if not last_seq then load_partition() end
  return last_seq
end

function places_now()
  if not places then load_partition() end
  return places
end

function places_version()
  return tonumber(places_now().version)
end

function units_short()
  if not places then load_partition() end
  return short_units
end

-- Notes that available of a record is below zero, or may be.
function note_short()
  short_units, main_is_free = units_short() + 1, false
end

-- Whether an order of a channel may take units from a location: it is open, and among those that the channel is limited
-- to.
function may_take_from(location, channel)
  local closed, of_channel = places_now().closed, places.of_channel
  if closed and closed[location] then return false end
  local own = of_channel and of_channel[channel]
  return not own or own[location] == true
end

-- Sets closed, channel_places or both, at once and under a new version. changed: {closed, channel_places}.
function set_places(changed)
  local version = string.format('%.0f', max(NOW_MS, tonumber(places_now().version) + 1))
  for _, field in ipairs({'closed', 'channel_places'}) do
    local value = changed[field]
    if value and next(value) then call('HSET', META, field, pack(value))
    elseif value then call('HDEL', META, field) end
  end
  call('HSET', META, 'places', version)
  places, main_is_free = read_places(version), false
end

end
