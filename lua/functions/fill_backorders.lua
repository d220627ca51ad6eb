-- fill_backorders: fills lines that wait for units, where an earlier call made units available for more lines than one
-- call fills. Maintenance calls it until the whole queue was looked at. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] backorders
-- ARGV  [1] limits  [2] where to continue, "" at first  [3] how many stock records to look at, at most
--       [4] the value of unfilled that the caller has read; it is deleted at the end if it is still the same
-- Reply MessagePack [where to continue, "" at the end; number of lines filled]

local function fill_backorders(args)
  local name, lines = args[2], 0
  for _ = 1, tonumber(args[3]) do
    local sku, location = backorders.next_after(name)
    name = sku and sku .. '\0' .. location or ''
    if not sku then break end
    lines = lines + backorders.fill_stock_entry(stock_entry(sku, location))
    if backorder_queue and backorder_queue.lines_left <= 0 then break end
    name = name .. '\1' -- behind all members of this stock record
  end
  if backorder_queue then backorder_queue.backlog = false end -- the caller continues
  write()
  if name == '' and call('HGET', META, 'unfilled') == args[4] then call('HDEL', META, 'unfilled') end
  return pack({name, lines})
end

register('fill_backorders', fill_backorders, {'allow-oom'}, true)
