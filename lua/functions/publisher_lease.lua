-- publisher_lease: acquires, renews or releases the right to publish a partition's changes. Flag allow-oom.
--
-- KEYS  [1] publisher  hash  owner, token, until_ms; it is never deleted, so that no token is used twice
-- ARGV  [1] "acquire" (also to renew) or "release"  [2] owner  [3] ttl_ms
-- Reply MessagePack [token, until_ms, now_ms, owner]
--         token  the caller's; 0 where another owner holds the lease until until_ms, or after a release
--
-- Time is the store's. Each new holder gets a greater token. So does a holder whose lease had expired, even if no other
-- came: writes that it began before may still be on their way.

local function publisher_lease(keys, args)
  local publisher, action, owner, ttl_ms = keys[1], args[1], args[2], tonumber(args[3])
  local now_ms = clock_ms()
  local stored = call('HMGET', publisher, 'owner', 'token', 'until_ms')
  local holder, token, until_ms = stored[1] or '', tonumber(stored[2] or 0), tonumber(stored[3] or 0)
  local is_expired = until_ms <= now_ms
  if holder ~= owner and not is_expired then
    return pack({0, until_ms, now_ms, holder})
  end
  if action == 'release' then
    if holder == owner then call('HSET', publisher, 'until_ms', 0) end
    return pack({0, 0, now_ms, owner})
  end
  -- From the clock: a replica that takes over may lack the newest token and would use it a second time.
  if is_expired or holder ~= owner then token = now_ms > token and now_ms or token + 1 end
  until_ms = now_ms + ttl_ms
  -- Formatted here, because the store would write a number of this size as 1.7e+12.
  call('HSET', publisher, 'owner', owner, 'token', string.format('%.0f', token),
    'until_ms', string.format('%.0f', until_ms))
  return pack({token, until_ms, now_ms, owner})
end

register_apart('publisher_lease', publisher_lease)
