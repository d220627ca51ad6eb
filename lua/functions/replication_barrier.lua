-- replication_barrier: writes next to nothing, so that a WAIT after it speaks for all that was written before, by whomever. Some
-- stores let a WAIT speak only for the writes of its own connection, and an answer may rest on another's: a replay, or
-- a refusal because of what another has taken. Flag allow-oom.
--
-- KEYS  [1] meta  hash  of any partition on this store
-- Reply "confirmed": never to be mistaken for what a WAIT answers

local function replication_barrier(keys)
  call('HSET', keys[1], 'confirmed', 1)
  return 'confirmed'
end

register_apart('replication_barrier', replication_barrier)
