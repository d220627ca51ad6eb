-- replication_barrier: writes one field, so that a WAIT after it covers all earlier writes of any connection.
-- Flag allow-oom.
--
-- KEYS  [1] meta  hash  of any partition on this store
-- ARGV  none
-- Reply "confirmed", which cannot be mistaken for the number that a WAIT returns
--
-- Some stores let a WAIT cover only the writes of its own connection. An answer may rest on another connection's
-- write: a replay, or a refusal because other orders have taken the units.

local function replication_barrier(keys)
  call('HSET', keys[1], 'confirmed', 1)
  return 'confirmed'
end

register_apart('replication_barrier', replication_barrier)
