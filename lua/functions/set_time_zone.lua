-- set_time_zone: sets the zone by which the daily figures tell days from now on. Flag allow-oom.
--
-- KEYS  [1] figures  hash  time_zones: MessagePack [[from_ms, name], …], the oldest first; before the first it is UTC
--       [2] journal  stream
-- ARGV  [1] name of the zone  [2] name of the zone that is in force where none was set  [3] how many are kept
--       [4] the actor
-- Reply time_zones as they are now, "" where none was ever set
--
-- The clock is read in here, so no change that the counter has counted already is on the other side: it counts up to
-- what has happened, and this holds from the next millisecond on.

local FROM_MS, NAME = 1, 2 -- places in a change of the zone

-- What has begun by now. The clock may have been fast when a later one was set.
local function begun(seams, now_ms)
  local found = {}
  for _, seam in ipairs(seams) do
    if seam[FROM_MS] <= now_ms then found[#found + 1] = seam end
  end
  return found
end

local function set_time_zone(keys, args)
  local known, now_ms = call('HGET', keys[1], 'time_zones'), clock_ms()
  local seams = begun(known and unpack_msg(known) or {}, now_ms + 1)
  local last = seams[#seams]
  local before = last and last[NAME] or args[2]
  if before == args[1] then return known or '' end
  seams[#seams + 1] = {now_ms + 1, args[1]}
  if #seams > tonumber(args[3]) then table.remove(seams, 1) end
  local packed_seams = pack(seams)
  call('HSET', keys[1], 'time_zones', packed_seams)
  call('XADD', keys[2], '*', 'e', array_of(1) .. pack({
    'time_zone', now_ms, args[4], '', '', '', NONE, {{'was', before}, {'now', args[1]}},
  }))
  return packed_seams
end

register_apart('set_time_zone', set_time_zone)
