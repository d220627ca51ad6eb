#!lua flags=no-writes
-- Looks through a slice of the reservations and returns those that match. Filtering here keeps the rest off the wire.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits, [2] MessagePack [ended, cursor, count, state or "", channel or "", sku or ""]
--         ended: look among the ended ones; cursor: "0" at first; count: how many to look at, about
-- Reply [now_ms, next cursor ("0": that was all), id, record, id, record, …]; record: MessagePack
--
-- @include lib/context
-- @include lib/reservations

local request = unpack_msg(ARGV[2])
local key = request[1] and ENDED or RESERVATIONS
local state, channel, sku = request[4], request[5], request[6]

local function has_line(record)
  for _, line in ipairs(record[LINES]) do
    if line[LINE_SKU] == sku then return true end
  end
  return false
end

local function matches(record)
  return (state == '' or record[STATE] == state)
    and (channel == '' or record[CHANNEL] == channel)
    and (sku == '' or has_line(record))
end

local page = call('HSCAN', key, request[2], 'COUNT', request[3])
local reply, found = {NOW_MS, page[1]}, page[2]
for i = 1, #found, 2 do
  if matches(unpack_msg(found[i + 1])) then
    reply[#reply + 1] = found[i]
    reply[#reply + 1] = found[i + 1]
  end
end
return reply
