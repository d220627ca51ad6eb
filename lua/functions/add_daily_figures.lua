-- add_daily_figures: adds to the figures of days, and moves the cursor of who counts them, both or neither. Flag allow-oom.
--
-- KEYS  [1] figures  hash    cursor: journal id up to which all is counted; since_ms: from when on nothing is missing
--       [2] journal  stream
--       [3] events   stream  field e: MessagePack list of one change, as in the journal
--       [4…] one hash for each day: sku -> [[channel, location, ordered, shipped, cancelled, returned, received, other], …]
-- ARGV  [1] cursor from which the caller has read, "" for none  [2] cursor up to which it has  [3] since_ms
--       [4] events are kept from here on (ms)  [5] how many there are, then each: MessagePack list of one change
--       […] for each day: when it may be forgotten (seconds since 1970), how many SKUs, then SKU, rows, SKU, rows, …
-- Reply 1, or 0: the cursor stands elsewhere, so somebody else has counted; nothing was written
--
-- The cursor is all that keeps two from counting one change twice, so it needs no lease: the second finds it moved.

local function add_row(rows, more)
  for i = 1, #rows do
    local row = rows[i]
    if row[1] == more[1] and row[2] == more[2] then
      for at = 3, #more do row[at] = (row[at] or 0) + more[at] end
      return
    end
  end
  rows[#rows + 1] = more
end

local function added(known, more)
  if not known then return more end
  local rows = unpack_msg(known)
  for _, row in ipairs(unpack_msg(more)) do add_row(rows, row) end
  return pack(rows)
end

local function tally_day(key, args, first, count)
  for at = first, first + 2 * (count - 1), 2 do
    call('HSET', key, args[at], added(call('HGET', key, args[at]), args[at + 1]))
  end
end

local function tell_events(keys, args, first, count)
  for at = first, first + count - 1 do
    call('XADD', keys[2], '*', 'e', args[at])
    call('XADD', keys[3], '*', 'e', args[at])
  end
  if count > 0 then call('XTRIM', keys[3], 'MINID', '~', args[4]) end
end

local function add_daily_figures(keys, args)
  if (call('HGET', keys[1], 'cursor') or '') ~= args[1] then return 0 end
  local events, number = tonumber(args[5]), 4
  tell_events(keys, args, 6, events)
  local at, n = 6 + events, #args
  while at <= n do
    local forget_s, count = args[at], tonumber(args[at + 1])
    tally_day(keys[number], args, at + 2, count)
    call('EXPIREAT', keys[number], forget_s)
    at, number = at + 2 + 2 * count, number + 1
  end
  call('HSET', keys[1], 'cursor', args[2], 'since_ms', args[3])
  return 1
end

register_apart('add_daily_figures', add_daily_figures)
