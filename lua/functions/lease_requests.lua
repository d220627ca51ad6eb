-- lease_requests: gives a process some of the requests that a key may make in this second of the store's clock, so that
-- all processes together let no more in. Flag allow-oom.
--
-- KEYS  [1] the key's second  string  "second given": which one it is, and how many were given of it
-- ARGV  [1] how many requests the key may make in a second  [2] how many are wanted, at least 1
-- Reply MessagePack [how many were given, how many are left of this second, how long it lasts still (ms)]
--
-- What is given is good for the second in which it was asked for. What a process does not use of it is lost.

local LIFE_MS = 2000 -- longer than the second: nobody asks for one that is over

local function lease_requests(keys, args)
  local per_s, wanted = tonumber(args[1]), tonumber(args[2])
  local time = call('TIME')
  local second, stored = time[1], call('GET', keys[1])
  local known, given = string.match(stored or '', '^(%d+) (%d+)$')
  given = known == second and tonumber(given) or 0
  local more = max(0, min(wanted, per_s - given))
  if more > 0 then call('SET', keys[1], string.format('%s %.0f', second, given + more), 'PX', LIFE_MS) end
  return pack({more, max(0, per_s - given - more), 1000 - floor(time[2] / 1000)})
end

register_apart('lease_requests', lease_requests)
