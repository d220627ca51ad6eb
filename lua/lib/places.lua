-- Where units may be taken from: which locations are closed, and which ones a channel is limited to.
--
-- All are fields of the hash meta. They change rarely, so what is unpacked is kept from call to call by its version:
--   places            the version: milliseconds of the store's clock, greater with each change; it is read with seq
--   closed            MessagePack [location, …]
--   limited_channels  MessagePack [channel, …]: those whose rules name locations
--   places_of \0 name  MessagePack [location, …] of such a channel: they can be thousands, so they are unpacked only
--                     where an order of the channel asks
--   closed_as_of      the version of the hash locations that closed is made of, see functions/settle_places.lua
--   location_names    MessagePack {old name -> what the location is called now}, always flat
--   moving_locations  MessagePack {new name -> old name}: those of which SKUs still lie under the old one, see
--                     functions/rename_location.lua. Closed ones are closed under both names
--   mirrored          MessagePack {location -> actor}: a channel or source, which alone says what lies there. Orders
--                     take what is our own first
-- A location is open unless it is among the closed ones, whether it was registered or not.
--
-- load_partition() reads all of this, once per call; the functions do it where it was not done
-- partition_seq()  the last seq of the partition, this call included
-- places_now()     {version, closed (location -> true), limited (channel -> true), names (old -> now), moving (new ->
--                  old), mirrored (location -> actor)}; all but the version are nil where there are none
-- place_rules.current(location)  what a location is called now
-- place_rules.names_of(location)  that, and all names that it has had
-- place_rules.is_closed(location)  whether nothing may be taken from it, under whatever name
-- place_rules.closed_to(is_sold)  the locations at which no order may name its units, as closed; nil: none
-- place_rules.own(channel)  location -> true, of those that a channel is limited to; nil: it is not limited
-- places_version() the version as a number, 0 before the first change
-- units_short()    units by which available is below zero anywhere, as it was when the call began; more where the call
--                  itself may have made units short, see note_short()
-- main_is_free     nothing is closed, limited or short, so that orders need not ask further; false where not known
-- place_rules.set_closed(), .change()  write at once, so only functions use them that have nothing else to check

local load_partition, partition_seq, places_now, places_version, units_short, note_short
local may_take_from
local place_rules = {} -- a table: a chunk has room for 200 locals

do

local PARTITIONS_KEPT_MAX = 1000 -- then all are dropped: many partitions must not fill the memory

local NO_PLACES = {version = '0', closed = nil, limited = nil, own = {}}
local PLACES_OF = 'places_of \0'

local kept_places, kept_count = {}, 0 -- by the name of the partition's hash meta

local function set_of(names)
  local set = {}
  for i = 1, #names do set[names[i]] = true end
  return set
end

-- A packed table, or nil where it has nothing.
local function unpacked_table(packed)
  local values = packed and unpack_msg(packed)
  return values and next(values) ~= nil and values or nil
end

-- Reads and unpacks the places of the partition.
local function read_places(version)
  local packed = call('HMGET', META, 'closed', 'limited_channels', 'location_names', 'moving_locations', 'mirrored')
  local before = kept_places[META]
  local now = {
    version = version, closed = packed[1] and set_of(unpack_msg(packed[1])) or nil,
    limited = packed[2] and set_of(unpack_msg(packed[2])) or nil,
    names = unpacked_table(packed[3]), moving = unpacked_table(packed[4]), mirrored = unpacked_table(packed[5]),
    own = before and before.own or {}, -- channel -> {version, packed, names}: what was unpacked is used again
  }
  if not before then
    if kept_count == PARTITIONS_KEPT_MAX then kept_places, kept_count = {}, 0 end
    kept_count = kept_count + 1
  end
  kept_places[META] = now
  return now
end

-- Reads what every call that reserves needs of the partition, in one command.
function load_partition()
  local found = call('HMGET', META, 'seq', 'places', 'shortage', 'renames')
  local version = found[2]
  aliases.renames = aliases.read(found[4])
  last_seq, short_units = tonumber(found[1] or 0), found[3] and tonumber(found[3]) or 0
  if not version then
    places = NO_PLACES
  else
    places = kept_places[META]
    if not places or places.version ~= version then places = read_places(version) end
  end
  main_is_free = short_units == 0 and not places.closed and not places.limited
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

function place_rules.current(location)
  local names = places_now().names
  return names and names[location] or location
end

-- The names that a location has and has had, in no order.
function place_rules.names_of(location)
  local now = place_rules.current(location)
  local found = {now}
  for old, name in pairs(places_now().names or NONE) do
    if name == now then found[#found + 1] = old end
  end
  return found
end

function place_rules.is_closed(location)
  local closed = places_now().closed
  return closed ~= nil and closed[place_rules.current(location)] == true
end

-- What is sold already is booked at a closed location that it names, unless it is mirrored: nobody here can
-- send it.
function place_rules.closed_to(is_sold)
  local now = places_now()
  if not is_sold or not now.closed or not now.mirrored then return not is_sold and now.closed or nil end
  local closed = {}
  for location in pairs(now.mirrored) do closed[location] = now.closed[location] end
  return next(closed) and closed or nil
end

-- Locations of a channel's rules, under the names that they have now, and that some SKUs still lie under.
local function own_names(packed_names)
  local set, moving = {}, places_now().moving or NONE
  for _, name in ipairs(unpack_msg(packed_names)) do
    local now = place_rules.current(name)
    set[now] = true
    if moving[now] then set[moving[now]] = true end
  end
  return set
end

function place_rules.own(channel)
  local now = places_now()
  if not now.limited or not now.limited[channel] then return nil end
  local own = now.own[channel]
  if own and own.version == now.version then return own.names end
  local packed_names = call('HGET', META, PLACES_OF .. channel)
  if not packed_names then return nil end
  local is_same = own and own.packed == packed_names and own.is_plain and not now.names
  now.own[channel] = {
    version = now.version, packed = packed_names, names = is_same and own.names or own_names(packed_names),
    is_plain = not now.names, -- nothing was renamed
  }
  return now.own[channel].names
end

-- Whether an order of a channel may take units from a location: it is open, and among those that the channel is limited
-- to.
function may_take_from(location, channel)
  local closed = places_now().closed
  if closed and (closed[location] or place_rules.is_closed(location)) then return false end
  local own = places.limited and place_rules.own(channel)
  return not own or own[location] == true
end

-- Whether an order may take units at a location, as far as a call before has left it known; false where it has not.
-- version: of the places now. channel: of an order that names no location; false: it names this one. For
-- lib/short_way.lua, which runs before anything is read.
function place_rules.is_free(meta, version, location, channel)
  local now = kept_places[meta]
  if not now or now.version ~= version then return false end
  local closed = now.closed
  if closed and (closed[location] or closed[now.names and now.names[location] or location]) then return false end
  return not (channel and now.limited and now.limited[channel])
end

-- Sets fields of meta, and removes some, under a new version. values: {field, value, …}; gone: {field, …}.
function place_rules.change(values, gone)
  local version = string.format('%.0f', max(NOW_MS, tonumber(places_now().version) + 1))
  if #gone > 0 then call('HDEL', META, unpack(gone)) end
  call('HSET', META, 'places', version, unpack(values))
  places, main_is_free = read_places(version), false
end

-- Sets the closed locations at once. closed: [location, …].
function place_rules.set_closed(closed)
  if #closed > 0 then place_rules.change({'closed', pack(closed)}, NONE) else place_rules.change(NONE, {'closed'}) end
end

end
