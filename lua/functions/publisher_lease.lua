-- publisher_lease: acquires, renews or releases the right to publish a partition's changes. Flag allow-oom.
--
-- KEYS  [1] publisher  hash  owner, token, until_ms, ttl_ms, ttl_until_ms; never deleted, so no token comes twice
-- ARGV  [1] "acquire" (also to renew) or "release"  [2] owner  [3] ttl_ms
-- Reply MessagePack [token, until_ms, now_ms, owner]
--         token  the caller's; 0 where another owner holds the lease until until_ms, or after a release
--
-- Time is the store's. Each new holder gets a greater token. So does a holder whose lease had expired, even if no other
-- came: writes that it began before may still be on their way.
--
-- A lease that claims more than its ttl was taken by a clock that was fast and is right again. Whether its ttl is over
-- nobody can tell, so the first that asks cuts it to its ttl from now. A holder that lives renews it before that, so
-- that no two publish at once. One that is dead keeps others away for a ttl, as always.
-- ttl_ms is that of the lease with until_ms = ttl_until_ms. An older release writes neither: its leases last at most
-- TTL_MS_MAX, and are renewed at least every fifth part of it, so they are cut to a little more.

local TTL_MS_MAX = 60000 -- as LEASE_S_MAX in server/domain/channels.py
local CUT_MS = 15000

-- Formatted here, because some stores write a number of this size as 1.7e+12.
local function whole(number)
  return string.format('%.0f', number)
end

local function write_lease(publisher, owner, token, until_ms, ttl_ms)
  call('HSET', publisher, 'owner', owner, 'token', whole(token), 'until_ms', whole(until_ms), 'ttl_ms', whole(ttl_ms),
    'ttl_until_ms', whole(until_ms))
end

-- Answers a caller whom another one keeps waiting, and cuts the lease of that one if it claims more than its ttl.
local function wait_for(publisher, lease, now_ms)
  if lease.until_ms - now_ms > (lease.ttl_ms or TTL_MS_MAX) then
    local left_ms = lease.ttl_ms or CUT_MS
    lease.until_ms = now_ms + left_ms
    write_lease(publisher, lease.owner, lease.token, lease.until_ms, left_ms)
  end
  return pack({0, lease.until_ms, now_ms, lease.owner})
end

local function publisher_lease(keys, args)
  local publisher, action, owner, ttl_ms = keys[1], args[1], args[2], tonumber(args[3])
  local now_ms = clock_ms()
  local stored = call('HMGET', publisher, 'owner', 'token', 'until_ms', 'ttl_ms', 'ttl_until_ms')
  local holder, token, until_ms = stored[1] or '', tonumber(stored[2] or 0), tonumber(stored[3] or 0)
  local is_expired = until_ms <= now_ms
  if holder ~= owner and not is_expired then
    local known_ms = stored[5] == stored[3] and tonumber(stored[4]) or nil
    return wait_for(publisher, {owner = holder, token = token, until_ms = until_ms, ttl_ms = known_ms}, now_ms)
  end
  if action == 'release' then
    if holder == owner then call('HSET', publisher, 'until_ms', 0) end
    return pack({0, 0, now_ms, owner})
  end
  -- From the clock: a replica that takes over may lack the newest token and would use it a second time.
  if is_expired or holder ~= owner then token = now_ms > token and now_ms or token + 1 end
  until_ms = now_ms + ttl_ms
  write_lease(publisher, owner, token, until_ms, ttl_ms)
  return pack({token, until_ms, now_ms, owner})
end

register_apart('publisher_lease', publisher_lease)
