-- The names of a partition's keys, the clock, and the limits.
--
-- KEYS, all in one hash slot:
--   [1] stock         hash    sku \0 location -> [on_hand, held, committed, damaged, quality_control, safety, seq], then
--                           what somebody has set there: the allocations of channels or false, see lib/allocations.lua,
--                           and [mode, limit, promise_on, waiting], see lib/backorders.lua
--   [2] skus          hash    sku -> [location, …]: where it lies
--   [3] reservations  hash    id -> record: those that hold or have committed units
--   [4] ended         hash    id -> record: the others, until they are forgotten
--   [5] deadlines     zset    id, by deadline_ms: all that hold units
--   [6] idempotency   hash    key -> [fingerprint, reservation id or "", answer]
--   [7] forget        zset    "r" id | "k" key | "t" transfer | "s" supply, by when it may be forgotten (ms)
--   [8] journal       stream  field e: MessagePack list of the changes that one script made
--   [9] meta          hash    seq: the last one given; shortage: units promised beyond what there is;
--                           in_transit: units between two locations, see transfer.lua;
--                           unfilled: the seq at which units were left that somebody waits for, see fill.lua;
--                           confirmed: see confirm.lua
--  [10] on_hand_log   hash    sku \0 location -> the last changes of on_hand, see lib/on_hand_log.lua
--
-- and, as the last one, for functions that are registered with it:
--       backorders    zset    who waits for units, in order, all with score 0; see lib/backorders.lua
--
-- ARGV[1]: MessagePack [expire_max, life_max_ms, idempotency_ms, ended_ms, fulfilled_ms]
--
-- Every value is MessagePack. Nothing is written before lib/flush.lua: an error earlier leaves no trace.

local STOCK, SKUS, RESERVATIONS, ENDED, DEADLINES
local IDEMPOTENCY, FORGET, JOURNAL, META, ON_HAND_LOG
local BACKORDERS -- nil where the function does not declare it
local EXPIRE_BATCH_MAX, LIFE_MAX_MS, IDEMPOTENCY_MS, ENDED_MS, FULFILLED_MS
local NOW_MS
local known_limits -- the limits of the call before, packed: they are nearly always the same

-- What a call has read and changed so far; each part is explained in the file that works with it.
local stock, unread_stock, changed_stock, last_seq, allocated
local reservations, changed_reservations, live_records, live_deadlines
local change_parts, change_count, record_starts
local record_extras -- what the next new record is to hold beyond the usual, see lib/reservations.lua; else nil
local more_are_due, has_expired_due, orphans
local remembered, new_keys
-- waits: nil as long as the call meets nobody who waits for units.
local waits

-- Filled by lib/backorders.lua; named here because stock and journal call it.
local backorders = {}

-- Shared and never changed: most operations have no notes.
local NONE = {}

-- Lua's unpack() can push some 8,000 values; variadic commands are cut below that.
local CHUNK = 2000

-- HMGET of any number of fields: the values, in order, false where there is none.
local function hash_get_many(key, fields)
  local n = #fields
  if n == 0 then return NONE end
  if n <= CHUNK then return call('HMGET', key, unpack(fields)) end
  local values = {}
  for first = 1, n, CHUNK do
    local part = call('HMGET', key, unpack(fields, first, min(first + CHUNK - 1, n)))
    for i = 1, #part do values[first + i - 1] = part[i] end
  end
  return values
end

-- The one clock, read once in a call: some stores let it run on inside a script.
local function clock_ms()
  local time = call('TIME')
  return time[1] * 1000 + floor(time[2] / 1000)
end

-- Begins a call: forgets the one before.
local function begin(keys, args, knows_backorders)
  if not pack then bind() end
  STOCK, SKUS, RESERVATIONS, ENDED, DEADLINES = keys[1], keys[2], keys[3], keys[4], keys[5]
  IDEMPOTENCY, FORGET, JOURNAL, META, ON_HAND_LOG = keys[6], keys[7], keys[8], keys[9], keys[10]
  BACKORDERS = knows_backorders and keys[#keys] or nil
  if args[1] ~= known_limits then
    local limits = unpack_msg(args[1])
    EXPIRE_BATCH_MAX, LIFE_MAX_MS = limits[1], limits[2]
    IDEMPOTENCY_MS, ENDED_MS, FULFILLED_MS = limits[3], limits[4], limits[5]
    known_limits = args[1]
  end
  NOW_MS = clock_ms()
  stock, unread_stock, changed_stock, last_seq, allocated = {}, {}, {}, nil, false
  reservations, changed_reservations, live_records, live_deadlines = {}, {}, {}, {}
  change_parts, change_count, record_starts, record_extras = {}, 0, {}, nil
  -- Made where they are needed, which is rare.
  more_are_due, has_expired_due, orphans = false, false, NONE
  remembered, new_keys = NONE, NONE
  waits = nil
end
