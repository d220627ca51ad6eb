-- track: makes a SKU untracked, because it has no stock and needs none, or tracked again.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] likeness, see lib/likeness.lua
-- ARGV  [1] limits  [2] MessagePack [actor, sku, whether it is to be tracked, version of the folds, fold,
--       allow_similar]
-- Reply MessagePack [whether it is so now (a SKU that has a stock record stays tracked), the known SKU that it is like
--       and so is not made known, or ""]
--
-- The fold is that of the name that was sent. Where it is an old one, the SKU is known by its newest name already, for
-- the rename has made that known; the fold of another name would be held against it.
--
-- In the hash skus an untracked SKU has a list without locations, see lib/unstocked.lua; of one that has neither mark
-- nor stock, nothing is kept. The journal gets one change without lines.

local function track(args, keys)
  local actor, sku, is_tracked, version, fold, is_allowed = unpack(unpack_msg(args[2]))
  local asked_as = sku
  sku = aliases.current(sku)
  local locations = unstocked.count_locations({sku})[sku]
  if locations and locations > 0 then return pack({is_tracked, ''}) end
  if is_tracked == (locations == nil) then return pack({true, ''}) end
  likeness.begin(keys[11])
  likeness.ask(version, is_allowed, {[sku] = fold}, NONE)
  local other = not is_tracked and sku == asked_as and likeness.name('sku', sku)
  if other then return pack({false, other}) end
  if is_tracked then call('HDEL', SKUS, sku) else call('HSET', SKUS, sku, pack(NONE)) end
  journal('track', actor, '', '', '', NONE, {{'sku', sku}, {'tracked', tostring(is_tracked)}})
  write()
  likeness.write()
  return pack({true, ''})
end

register('track', track)
