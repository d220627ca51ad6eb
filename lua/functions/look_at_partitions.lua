-- look_at_partitions: tells maintenance which partitions have changed, and when their next hold ends. Flag no-writes.
--
-- KEYS  for each partition its journal and its deadlines, in turn; of many partitions, so never in a cluster
-- ARGV  none
-- Reply {entries, next_ms, ...}: for each partition the length of its journal, and its earliest deadline, 0 if none
--
-- A key of another type is -1: one damaged partition hides no other.

local function look_at_partitions(keys)
  local reply, pcall = {}, redis.pcall
  for place = 1, #keys, 2 do
    local entries, first = pcall('XLEN', keys[place]), pcall('ZRANGE', keys[place + 1], 0, 0, 'WITHSCORES')
    reply[place] = type(entries) == 'number' and entries or -1
    reply[place + 1] = first.err and -1 or tonumber(first[2] or 0)
  end
  return reply
end

register_apart('look_at_partitions', look_at_partitions, {'no-writes'})
