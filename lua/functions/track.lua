-- track: makes a SKU untracked, because it has no stock and needs none, or tracked again.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] MessagePack [actor, sku, whether it is to be tracked]
-- Reply MessagePack: whether it is so now; a SKU that has a stock record stays tracked
--
-- In the hash skus an untracked SKU has a list without locations, see lib/unstocked.lua; of one that has neither mark
-- nor stock, nothing is kept. The journal gets one change without lines.

local function track(args)
  local actor, sku, is_tracked = unpack(unpack_msg(args[2]))
  local locations = unstocked.count_locations({sku})[sku]
  if locations and locations > 0 then return pack(is_tracked) end
  if is_tracked == (locations == nil) then return pack(true) end
  if is_tracked then call('HDEL', SKUS, sku) else call('HSET', SKUS, sku, pack(NONE)) end
  journal('track', actor, '', '', '', NONE, {{'sku', sku}, {'tracked', tostring(is_tracked)}})
  write()
  return pack(true)
end

register('track', track)
