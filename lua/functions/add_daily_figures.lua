-- add_daily_figures: adds rows to the figures of days and moves the cursor of the counter, both or neither.
-- Flag allow-oom.
--
-- KEYS  [1] figures  hash    cursor: journal id up to which all is counted; since_ms: from when on all is counted;
--                             mask_version, mask: the closed locations at that id; mask_step: which events of the next
--                             change of them are written; mask_cursor: the cursor that these are of;
--                             channels: MessagePack [[day, [channel, …]], …]: which channels days tell apart;
--                             time_zones: see functions/set_time_zone.lua
--       [2] journal  stream
--       [3] events   stream  field e: MessagePack list of one change, as in the journal
--       [4] sold_out  set     SKUs that are out everywhere, as far as events have said
--       [5…] one hash per day: sku -> [row, …], the first ones of that SKU;
--                              sku \0 three hexadecimal digits -> [row, …]: others, see spill_field
-- ARGV  [1] cursor from which the caller has read, "" for none  [2] cursor up to which it has read  [3] since_ms
--       [4] events older than this stream id (ms) are trimmed
--       [5] mask_step that the caller has read, "" for none  [6] mask_step from now on
--       [7] mask_version  [8] mask, "" for as it is
--       [9] how many channels a day tells apart  [10] the name under which the others are counted
--       [11] time_zones that the caller has read, by which it has told days, "" for none
--       [12] number of events, then each event: MessagePack list of one change
--       […] number of findings about whole SKUs, then of each: SKU, "out" or "back", "1" if it was the other before,
--           whatever sold_out has, and its event, or "" for none
--       […] for each day: its number, when its hash expires (s since 1970), MessagePack [channel, …] of all its rows,
--           number of SKUs, then SKU, rows, SKU, rows, …
-- Reply 1, and 1 more for each channel that was counted under the name of the others; or 0: cursor or step is another
--       one, so another process has counted, or the time zone has changed; nothing was written
--
-- row: [channel, location, ordered, shipped, cancelled, returned, received, other]; all but the first two in units.
-- Of one channel and location there can be several; the units are their sum.
--
-- The cursor alone prevents that a change is counted twice, so no lease is needed: a second process finds it moved.
--
-- A row is found in a few microseconds however many there are: a chain of 5,000 stores has as many rows of a SKU, and
-- anybody can invent channels. Longer lists of an older release stay as they are.

local figures = {} -- all functions of this file: a chunk has room for few more locals

local FIRST_COUNTER = 3 -- place of the first counter in a row, behind channel and location
local FIRST_EVENT = 13 -- place of the first event in ARGV
local DAYS_BEFORE = 4 -- keys in front of the first day
local DAY_FIELDS = 4 -- of a day, in front of its SKUs
local FINDING_FIELDS = 4 -- of a finding about a whole SKU
local DAYS_NAMED = 3 -- days of which the channels are kept; older ones are rarely counted
local ROWS_MAX, ROWS_BYTES_MAX = 8, 1024 -- of a list

-- Adds a row to a list of rows: to the row of the same channel and location, or as a new one while there is room.
-- Returns whether it was added.
function figures.add_row(rows, more, rows_max)
  for i = 1, #rows do
    local row = rows[i]
    if row[1] == more[1] and row[2] == more[2] then
      for at = FIRST_COUNTER, #more do row[at] = (row[at] or 0) + more[at] end
      return true
    end
  end
  if #rows >= rows_max then return false end
  rows[#rows + 1] = more
  return true
end

-- The field of a row that has no room in the list of its SKU. Where one is full as well, the row is of other channels.
function figures.spill_field(sku, row)
  return sku .. '\0' .. redis.sha1hex(row[1] .. '\0' .. row[2]):sub(1, 3)
end

-- Adds a row outside the list of its SKU.
function figures.spill(key, sku, row, others)
  local field = figures.spill_field(sku, row)
  local rows = call('HGET', key, field)
  rows = rows and unpack_msg(rows) or {}
  if not figures.add_row(rows, row, row[1] == others and math.huge or 2 * ROWS_MAX) then
    row[1] = others
    return figures.spill(key, sku, row, others)
  end
  call('HSET', key, field, pack(rows))
end

-- Adds packed rows to the packed list of a SKU (false: none yet), and spills those without room. Returns the list.
function figures.added(key, sku, known, more, renamed, others)
  local is_long = known and #known > ROWS_BYTES_MAX
  local rows, new = known and not is_long and unpack_msg(known) or {}, unpack_msg(more)
  if not known and not renamed and #new <= ROWS_MAX then return more end
  for _, row in ipairs(new) do
    if renamed and renamed[row[1]] then row[1] = others end
    if is_long or not figures.add_row(rows, row, ROWS_MAX) then figures.spill(key, sku, row, others) end
  end
  return is_long and known or pack(rows)
end

-- Notes the channels of a day in the days that are known: {{day, {channel, …}}, …}. Returns a set of those that it does
-- not tell apart, or nil; how many they are; and whether others were noted.
function figures.note_channels(known_days, day, channels, channels_max)
  local of_day = nil
  for _, each in ipairs(known_days) do
    if each[1] == day then of_day = each[2] end
  end
  if not of_day then
    of_day = {}
    known_days[#known_days + 1] = {day, of_day}
    table.sort(known_days, function(a, b) return a[1] < b[1] end)
    if #known_days > DAYS_NAMED then table.remove(known_days, 1) end
  end
  local known, renamed, count, has_changed = {}, nil, 0, false
  for _, channel in ipairs(of_day) do known[channel] = true end
  for _, channel in ipairs(channels) do
    if not known[channel] and #of_day < channels_max then
      of_day[#of_day + 1], has_changed = channel, true
    elseif not known[channel] then
      renamed = renamed or {}
      renamed[channel], count = true, count + 1
    end
  end
  return renamed, count, has_changed
end

function figures.add_day(key, args, first, count, renamed, others)
  local skus, pairs_to_set = {}, {}
  for i = 1, count do skus[i] = args[first + 2 * (i - 1)] end
  for i, known in ipairs(hash_get_many(key, skus)) do
    push(pairs_to_set, skus[i], figures.added(key, skus[i], known, args[first + 2 * i - 1], renamed, others))
  end
  flush('HSET', key, pairs_to_set)
end

function figures.append_events(keys, args, first, count)
  for at = first, first + count - 1 do
    call('XADD', keys[2], '*', 'e', args[at])
    call('XADD', keys[3], '*', 'e', args[at])
  end
  if count > 0 then call('XTRIM', keys[3], 'MINID', '~', args[4]) end
end

-- Notes which SKUs are out, and appends the events of those that were not, or are no more. Returns the place behind.
function figures.append_whole(keys, args, first)
  local at = first + 1
  for _ = 1, tonumber(args[first]) do
    local sku, is_sure, event = args[at], args[at + 2] == '1', args[at + 3]
    local command = args[at + 1] == 'out' and 'SADD' or 'SREM'
    if (call(command, keys[4], sku) == 1 or is_sure) and event ~= '' then
      call('XADD', keys[2], '*', 'e', event)
      call('XADD', keys[3], '*', 'e', event)
    end
    at = at + FINDING_FIELDS
  end
  return at
end

function figures.add_daily_figures(keys, args)
  local known = call('HMGET', keys[1], 'cursor', 'mask_step', 'channels', 'time_zones')
  if (known[1] or '') ~= args[1] or (known[2] or '') ~= args[5] or (known[4] or '') ~= args[11] then return 0 end
  local events, number, reply = tonumber(args[12]), DAYS_BEFORE + 1, 1
  local known_days, channels_max, others = known[3] and unpack_msg(known[3]) or {}, tonumber(args[9]), args[10]
  local has_new_channels = false
  figures.append_events(keys, args, FIRST_EVENT, events)
  local at, n = figures.append_whole(keys, args, FIRST_EVENT + events), #args
  while at <= n do
    local count = tonumber(args[at + 3])
    local channels = unpack_msg(args[at + 2])
    local renamed, more, has_changed = figures.note_channels(known_days, tonumber(args[at]), channels, channels_max)
    reply, has_new_channels = reply + more, has_new_channels or has_changed
    figures.add_day(keys[number], args, at + DAY_FIELDS, count, renamed, others)
    call('EXPIREAT', keys[number], args[at + 1])
    at, number = at + DAY_FIELDS + 2 * count, number + 1
  end
  if has_new_channels then call('HSET', keys[1], 'channels', pack(known_days)) end
  call('HSET', keys[1], 'cursor', args[2], 'since_ms', args[3], 'mask_step', args[6], 'mask_cursor', args[2])
  if args[8] ~= '' then call('HSET', keys[1], 'mask_version', args[7], 'mask', args[8]) end
  return reply
end

register_apart('add_daily_figures', figures.add_daily_figures)
