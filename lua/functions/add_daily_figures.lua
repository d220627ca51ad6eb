-- add_daily_figures: adds rows to the figures of days and moves the cursor of the counter, both or neither.
-- Flag allow-oom.
--
-- KEYS  [1] figures  hash    cursor: journal id up to which all is counted; since_ms: from when on all is counted;
--                             mask_version, mask: the closed locations at that id; mask_step: which events of the next
--                             change of them are written; mask_cursor: the cursor that these are of
--       [2] journal  stream
--       [3] events   stream  field e: MessagePack list of one change, as in the journal
--       [4…] one hash per day: sku -> [row, …]
-- ARGV  [1] cursor from which the caller has read, "" for none  [2] cursor up to which it has read  [3] since_ms
--       [4] events older than this stream id (ms) are trimmed
--       [5] mask_step that the caller has read, "" for none  [6] mask_step from now on
--       [7] mask_version  [8] mask, "" for as it is
--       [9] number of events, then each event: MessagePack list of one change
--       […] for each day: when its hash expires (s since 1970), number of SKUs, then SKU, rows, SKU, rows, …
-- Reply 1, or 0: cursor or step is another one, so another process has counted; nothing was written
--
-- row: [channel, location, ordered, shipped, cancelled, returned, received, other]; all but the first two in units.
--
-- The cursor alone prevents that a change is counted twice, so no lease is needed: a second process finds it moved.

local FIRST_COUNTER = 3 -- place of the first counter in a row, behind channel and location
local FIRST_EVENT = 10 -- place of the first event in ARGV
local DAYS_BEFORE = 3 -- keys in front of the first day

-- Adds one row to a list of rows: to the row of the same channel and location, or as a new one.
local function add_row(rows, more)
  for i = 1, #rows do
    local row = rows[i]
    if row[1] == more[1] and row[2] == more[2] then
      for at = FIRST_COUNTER, #more do row[at] = (row[at] or 0) + more[at] end
      return
    end
  end
  rows[#rows + 1] = more
end

-- Returns the packed sum of two packed lists of rows; known: false where there is none yet.
local function added(known, more)
  if not known then return more end
  local rows = unpack_msg(known)
  for _, row in ipairs(unpack_msg(more)) do add_row(rows, row) end
  return pack(rows)
end

local function add_day(key, args, first, count)
  for at = first, first + 2 * (count - 1), 2 do
    call('HSET', key, args[at], added(call('HGET', key, args[at]), args[at + 1]))
  end
end

local function append_events(keys, args, first, count)
  for at = first, first + count - 1 do
    call('XADD', keys[2], '*', 'e', args[at])
    call('XADD', keys[3], '*', 'e', args[at])
  end
  if count > 0 then call('XTRIM', keys[3], 'MINID', '~', args[4]) end
end

local function add_daily_figures(keys, args)
  local known = call('HMGET', keys[1], 'cursor', 'mask_step')
  if (known[1] or '') ~= args[1] or (known[2] or '') ~= args[5] then return 0 end
  local events, number = tonumber(args[9]), DAYS_BEFORE + 1
  append_events(keys, args, FIRST_EVENT, events)
  local at, n = FIRST_EVENT + events, #args
  while at <= n do
    local expires_s, count = args[at], tonumber(args[at + 1])
    add_day(keys[number], args, at + 2, count)
    call('EXPIREAT', keys[number], expires_s)
    at, number = at + 2 + 2 * count, number + 1
  end
  call('HSET', keys[1], 'cursor', args[2], 'since_ms', args[3], 'mask_step', args[6], 'mask_cursor', args[2])
  if args[8] ~= '' then call('HSET', keys[1], 'mask_version', args[7], 'mask', args[8]) end
  return 1
end

register_apart('add_daily_figures', add_daily_figures)
