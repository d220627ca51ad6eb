-- purge_ended: deletes ended reservations, closed transfers, completed expected receipts and idempotency keys whose
-- retention is over. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] transfers  [12] transfers_closed  [13] supply
--       [14] tombstones
-- ARGV  [1] limits  [2] how many to look at, at most
-- Reply number of those looked at, or as many as could be where some are left: it is to be called again
--
-- A key that belongs to a live reservation is kept until the reservation has ended.

local CLOSED_TRANSFERS, RECEIPTS, TOMBSTONES = 12, 13, 14 -- places of those keys in KEYS

-- Purges keys, until there is enough for one call: they are kept with their answers. Returns whether that were all.
local function purge_keys(keys)
  local read = load_keys(keys)
  for i = 1, read do
    local key = keys[i]
    local kept = remembered[key]
    local id = kept and kept[KEPT.reservation] or ''
    if id ~= '' and call('HEXISTS', RESERVATIONS, id) == 1 then
      call('ZADD', FORGET, NOW_MS + LIMITS.idempotency_ms, 'k' .. key)
    else
      call('ZREM', FORGET, 'k' .. key)
      call('HDEL', IDEMPOTENCY, key)
    end
  end
  return read == #keys
end

local function purge_ended(args, declared)
  local due = call('ZRANGEBYSCORE', FORGET, 0, NOW_MS, 'LIMIT', 0, tonumber(args[2]))
  local ids, keys = {}, {}
  for _, member in ipairs(due) do
    local kind, name = member:sub(1, 1), member:sub(2)
    if kind == 't' or kind == 's' then
      call('ZREM', FORGET, member)
      call('HDEL', declared[kind == 't' and CLOSED_TRANSFERS or RECEIPTS], name)
    else
      local list = kind == 'r' and ids or keys
      list[#list + 1] = name
    end
  end
  for _, id in ipairs(ids) do
    call('ZREM', FORGET, 'r' .. id)
    call('HDEL', ENDED, id)
  end
  local forgotten = tombstones.forget(declared[TOMBSTONES], tonumber(args[2]))
  return purge_keys(keys) and max(#due, forgotten) or tonumber(args[2])
end

register('purge_ended', purge_ended, {'allow-oom'})
