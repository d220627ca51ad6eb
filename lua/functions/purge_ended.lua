-- purge_ended: forgets ended reservations, closed transfers, expected receipts that came whole, and idempotency keys, all when
-- their time is over. Flag allow-oom.
-- A key that belongs to a reservation is kept for as long as the reservation lives.
--
-- KEYS  the twelve keys of transfer.lua, and [13] the hash supply of supply.lua
-- ARGV  [1] limits, [2] how many to look at, at most
-- Reply how many were looked at

local function purge_ended(args, declared)
  local due = call('ZRANGEBYSCORE', FORGET, 0, NOW_MS, 'LIMIT', 0, tonumber(args[2]))
  local ids, keys = {}, {}
  for _, member in ipairs(due) do
    local kind, name = member:sub(1, 1), member:sub(2)
    if kind == 't' or kind == 's' then
      call('ZREM', FORGET, member)
      call('HDEL', declared[kind == 't' and 12 or 13], name)
    else
      local list = kind == 'r' and ids or keys
      list[#list + 1] = name
    end
  end
  load_keys(keys)
  for _, id in ipairs(ids) do
    call('ZREM', FORGET, 'r' .. id)
    call('HDEL', ENDED, id)
  end
  for _, key in ipairs(keys) do
    local kept = remembered[key]
    if kept and kept[KEPT_RESERVATION] ~= '' and call('HEXISTS', RESERVATIONS, kept[KEPT_RESERVATION]) == 1 then
      call('ZADD', FORGET, NOW_MS + IDEMPOTENCY_MS, 'k' .. key)
    else
      call('ZREM', FORGET, 'k' .. key)
      call('HDEL', IDEMPOTENCY, key)
    end
  end
  return #due
end

register('purge_ended', purge_ended, {'allow-oom'})
