-- fill_backorders: gives units to those who wait for them and did not get them in the call that brought the units, because more
-- waited than one call may fill. Called by housekeeping until all were looked at. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits, [2] where to go on: "" at first, [3] how many places to look at, at most,
--       [4] what expire said of it: if nobody has said so anew meanwhile, it is done at the end
-- Reply MessagePack: [where to go on ("": that was all), how many lines were filled]

local function fill_backorders(args)
  local name, lines = args[2], 0
  for _ = 1, tonumber(args[3]) do
    local sku, location = backorders.place_after(name)
    name = sku and sku .. '\0' .. location or ''
    if not sku then break end
    lines = lines + backorders.fill_place(stock_entry(sku, location))
    if waits and waits.left <= 0 then break end
    name = name .. '\1' -- behind all who wait there
  end
  if waits then waits.backlog = false end -- who called goes on
  write()
  if name == '' and call('HGET', META, 'unfilled') == args[4] then call('HDEL', META, 'unfilled') end
  return pack({name, lines})
end

register('fill_backorders', fill_backorders, {'allow-oom'}, true)
