-- publisher_lease: who publishes a partition's changes. One holds it for some time; each new holder has a greater token.
-- Flag allow-oom.
--
-- KEYS  [1] publisher  hash  owner, token, until_ms; it is never deleted, so that tokens never repeat
-- ARGV  [1] "acquire" (also: renew) | "release"
--       [2] owner  [3] ttl_ms
-- Reply MessagePack: [token, until_ms, now_ms, owner]
--         token  that of the caller, 0 where another holds the lease until until_ms
--
-- Time is the store's. A holder that was away for longer than its lease gets a new token, even if nobody else came: what
-- it began before may have been on its way for as long.

local function publisher_lease(keys, args)
  local publisher, action, owner, ttl_ms = keys[1], args[1], args[2], tonumber(args[3])
  local now_ms = clock_ms()
  local stored = call('HMGET', publisher, 'owner', 'token', 'until_ms')
  local holder, token, until_ms = stored[1] or '', tonumber(stored[2] or 0), tonumber(stored[3] or 0)
  local lapsed = until_ms <= now_ms
  if holder ~= owner and not lapsed then
    return pack({0, until_ms, now_ms, holder})
  end
  if action == 'release' then
    if holder == owner then call('HSET', publisher, 'until_ms', 0) end
    return pack({0, 0, now_ms, owner})
  end
  -- From the clock: a replica that takes over may not know the newest token, and would give it out a second time.
  if lapsed or holder ~= owner then token = now_ms > token and now_ms or token + 1 end
  until_ms = now_ms + ttl_ms
  -- Whole milliseconds as text: a number of this size would be written as 1.7e+12.
  call('HSET', publisher, 'owner', owner, 'token', string.format('%.0f', token),
    'until_ms', string.format('%.0f', until_ms))
  return pack({token, until_ms, now_ms, owner})
end

register_apart('publisher_lease', publisher_lease)
