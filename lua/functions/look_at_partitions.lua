-- look_at_partitions: tells maintenance which partitions have changed, and when their next hold ends. Flag no-writes.
--
-- KEYS  for each partition its journal and its deadlines, in turn; of many partitions, so never in a cluster
-- ARGV  none
-- Reply {entries, next_ms, ...}, as MessagePack: for each partition the length of its journal, and its earliest
--       deadline, 0 if none
--
-- One string is quicker to send and to compare than as many numbers, and mostly it is the one of the last look.
-- A key of another type is -1: one damaged partition hides no other.

local DEADLINES_AT_ONCE = 32
-- Most partitions have none, and whether any of some has one is asked in one command.

local function first_deadline(key)
  local first = redis.pcall('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first.err and -1 or tonumber(first[2] or 0)
end

local function look_at_partitions(keys)
  local reply, pcall, deadlines = {}, redis.pcall, {}
  for place = 1, #keys, 2 do
    local entries = pcall('XLEN', keys[place])
    reply[place] = type(entries) == 'number' and entries or -1
    reply[place + 1] = 0
    deadlines[#deadlines + 1] = keys[place + 1]
  end
  for start = 1, #deadlines, DEADLINES_AT_ONCE do
    local last = math.min(start + DEADLINES_AT_ONCE - 1, #deadlines)
    if redis.call('EXISTS', unpack(deadlines, start, last)) > 0 then
      for number = start, last do reply[2 * number] = first_deadline(deadlines[number]) end
    end
  end
  return cmsgpack.pack(reply)
end

register_apart('look_at_partitions', look_at_partitions, {'no-writes'})
