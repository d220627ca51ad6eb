-- The names of a partition's keys, the clock, and the limits.
--
-- KEYS, all in one hash slot:
--   [1] stock         hash    sku \0 location -> [on_hand, held, committed, damaged, quality_control, safety, seq],
--                           then where they are set: the channels' allocations or false, see lib/allocations.lua, and
--                           [mode, limit, promise_on, waiting], see lib/backorders.lua
--   [2] skus          hash    sku -> [location, …]: where the SKU is known; empty: untracked, see lib/unstocked.lua
--   [3] reservations  hash    id -> record: the live ones: held, committed or backordered
--   [4] ended         hash    id -> record: the others, until they are purged
--   [5] deadlines     zset    id, by deadline_ms: all with a deadline
--   [6] idempotency   hash    key -> [fingerprint, reservation id or "", answer]
--   [7] forget        zset    "r" id | "k" key | "t" transfer | "s" supply, by when it may be purged (ms)
--   [8] journal       stream  field e: MessagePack list of the changes that one script made
--   [9] meta          hash    seq: the last one used; shortage: units by which available is below zero;
--                           in_transit: units between two locations, see lib/transfers.lua;
--                           lacking and "lacks \0 sku \0 location": see lib/lacking.lua;
--                           unfilled: the seq at which units were left for lines that wait, see lib/backorders.lua;
--                           unmapped: lines that wait for a SKU, see lib/unstocked.lua;
--                           "quota \0 …": what keys with a quota hold, see lib/quotas.lua;
--                           confirmed: see functions/replication_barrier.lua;
--                           places, closed, limited_channels, places_of, closed_as_of: see
--                           lib/places.lua
--  [10] on_hand_log   hash    sku \0 location -> the last changes of on_hand, see lib/on_hand_log.lua;
--                           \0 sku \0 location -> its last count, see lib/counts.lua
--  [11] aliases       hash    old SKU -> the SKU that it is now, see lib/aliases.lua. Functions do not count it among
--                           their KEYS: what they declare behind the ten is [11] to them
--
-- and, as the last one, for functions that are registered with it:
--       backorders    zset    the lines that wait for units, in order, all with score 0; see lib/backorders.lua
--
-- ARGV[1], the limits: MessagePack [expire_max (holds that one call ends), life_max_ms (longest life of a hold),
-- idempotency_ms, ended_ms, fulfilled_ms (retention of keys, of ended and of fulfilled reservations)]
--
-- Every value is MessagePack. Nothing is written before lib/flush.lua, so an error before it changes nothing.

local STOCK, SKUS, RESERVATIONS, ENDED, DEADLINES
local IDEMPOTENCY, FORGET, JOURNAL, META, ON_HAND_LOG
local BACKORDERS -- nil where the function does not declare it
local LIMITS -- {expire_max, life_max_ms, idempotency_ms, ended_ms, fulfilled_ms}, of ARGV[1]
local NOW_MS

-- What a call has read and changed so far; each part is described in the file that uses it.
local stock, last_seq, allocated
local unread_stock, changed_stock = {}, {}
local places, short_units, main_is_free -- see lib/places.lua
local is_alone, places_looked -- see lib/places_of_order.lua
-- Where SKUs are known, nil until the call asks; by how many lines without a SKU grew; see lib/unstocked.lua.
local sku_locations, unmapped_lines
local reservations
local changed_reservations, live_records, live_deadlines = {}, {}, {}
local change_count, record_starts
local change_parts = {}
local record_extras -- {notes, open} of the next new record, see lib/reservations.lua; else nil
local more_are_due, has_expired_due, orphans
local remembered, new_keys
-- nil until the call meets a line that waits for units; see lib/backorders.lua
local backorder_queue

-- How much the call does; filled by lib/work.lua.
local work = {}
-- Filled by lib/allocations.lua; declared here because begin calls it.
local allocations = {}
-- Filled by lib/backorders.lua; declared here because stock and journal call it.
local backorders = {}
-- Filled by lib/lacking.lua; declared here because lib/flush.lua calls it.
local lacking = {}
-- Filled by lib/tombstones.lua and lib/counts.lua; declared here for the same reason.
local tombstones, counts = {}, {}
-- Filled by lib/quotas.lua; declared here because lib/reservations.lua and lib/flush.lua call it.
local quotas = {}
-- Filled by lib/aliases.lua; declared here because lib/stock.lua calls it.
local aliases = {}

-- Shared and never changed: most operations have no notes.
local NONE = {}
local NO_DELTAS = {0, 0, 0, 0, 0, 0} -- for change_buckets, in the order of a stock record

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

-- The store's clock, read once per call: in some stores it advances while a script runs.
local function clock_ms()
  local time = call('TIME')
  return time[1] * 1000 + floor(time[2] / 1000)
end

local begin

do

local known_limits -- of the call before, packed: they rarely change, so they are rarely unpacked

-- Lists that many calls leave empty; an empty one does for the next call.
local function clear_lists()
  if #unread_stock > 0 then unread_stock = {} end
  if #changed_stock > 0 then changed_stock = {} end
  if #changed_reservations > 0 then changed_reservations = {} end
  if #live_records > 0 then live_records = {} end
  if #live_deadlines > 0 then live_deadlines = {} end
  if #change_parts > 0 then change_parts = {} end
end

-- Begins a call: clears what the call before has left.
function begin(keys, args, uses_backorders)
  if not pack then bind() end
  STOCK, SKUS, RESERVATIONS, ENDED, DEADLINES = keys[1], keys[2], keys[3], keys[4], keys[5]
  IDEMPOTENCY, FORGET, JOURNAL, META, ON_HAND_LOG = keys[6], keys[7], keys[8], keys[9], keys[10]
  aliases.key = keys[11]
  for i = 11, #keys do keys[i] = keys[i + 1] end -- what a function declares behind the ten is [11] to it
  BACKORDERS = uses_backorders and keys[#keys] or nil
  if args[1] ~= known_limits then
    local each = unpack_msg(args[1])
    LIMITS = {
      expire_max = each[1], life_max_ms = each[2], idempotency_ms = each[3], ended_ms = each[4], fulfilled_ms = each[5],
    }
    known_limits = args[1]
  end
  NOW_MS = clock_ms()
  clear_lists()
  stock, last_seq, allocated = {}, nil, false
  aliases.lies_at, aliases.sku_of, aliases.moved, aliases.may_move = nil, nil, nil, false
  places, short_units, main_is_free, is_alone, places_looked = nil, 0, false, false, 0
  sku_locations, unmapped_lines = nil, 0
  reservations, change_count, record_starts, record_extras = {}, 0, {}, nil
  -- Replaced by tables where they are needed, which is rare.
  more_are_due, has_expired_due, orphans = false, false, NONE
  remembered, new_keys = NONE, NONE
  backorder_queue = nil
  tombstones.made, tombstones.met, counts.call = nil, nil, nil
  work.begin()
  allocations.begin()
  quotas.units, quotas.moved = nil, nil
end

end
