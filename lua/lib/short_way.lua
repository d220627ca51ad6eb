-- The short way of reserves and orders that ask for nothing special: one line each, all of whose units are at its
-- location, in a record that has nothing but buckets. Most calls have only such.
--
-- It makes no entries and asks no questions twice. Where anything is not as it has to be, it returns nil: nothing has
-- changed then, and the call takes the ordinary way of lib/batch.lua, which reads anew. Both leave the same, byte by
-- byte, so what lib/new_reservation.lua comes to write stands here once more. What fails most often is asked first.
--
-- short_way(keys, args)  as those of `mutate`. Returns the reply; or nil, and the operations where they were unpacked.

local short_way

do

local VALUES = Reserve.lines + LINE_LENGTH -- of an operation with one line, its tag among them
local SEQ, PLACES, SHORTAGE, RENAMES = 1, 2, 3, 4 -- in what is read of meta

local NEW_CHANGE, FIRST_CHANGED, RECORD, ONE_LINE = HEADS.change, HEADS.answer, HEADS.record, '\145' .. HEADS.line
-- More heads: of a record with its optional values up to the flags, of one that counts for a quota, of a stock record,
-- of a list with one change.
local LONG_RECORD, COUNTED_RECORD, STOCK_RECORD, ONE_CHANGE = '\156', '\220\0\16', '\151', '\145'
local HELD, COMMITTED, ZERO = '\164held', '\169committed', '\0'
local NO_UNITS = ZERO .. ZERO .. ZERO -- damaged, quality_control and safety, as most records have them
local NO_FLAGS, HEADED_MAX = '\144', 255 -- an empty list; the longest text whose head string_of has

-- Whether the units that are at a location may be taken without further questions. found: of meta. channel: of an order
-- that names no location; false: it names this one, and then it is nothing to it whether units are short elsewhere.
local function is_usual(meta, found, location, channel)
  local version, shortage, renames = found[PLACES], found[SHORTAGE], found[RENAMES]
  if channel and shortage and shortage ~= '0' then return false end
  if renames and not aliases.is_settled(meta, renames) then return false end
  return not version or place_rules.is_free(meta, version, location, channel)
end

-- A stock record, packed; seq is packed already.
local function stock_record_of(on_hand, held, committed, damaged, quality_control, safety, seq)
  local others = NO_UNITS
  if damaged ~= 0 or quality_control ~= 0 or safety ~= 0 then others = pack(damaged, quality_control, safety) end
  return STOCK_RECORD .. pack(on_hand, held, committed) .. others .. seq
end

-- How a record begins behind its head: state, created_ms, deadline_ms and ttl_ms. ttl_ms: 0 for an order.
local function start_of(now_ms, ttl_ms)
  if ttl_ms == 0 then return COMMITTED .. pack(now_ms, 0, 0) end
  return HELD .. pack(now_ms, now_ms + ttl_ms, ttl_ms)
end

-- The record of the reservation, packed. start, seq, units, and head and tail, see tail_of, are packed already.
local function record_of_one(start, is_order, seq, channel, actor, fingerprint, sku, location, units, left, head, tail)
  return head .. start .. seq
    .. string_of[#channel] .. channel .. string_of[#actor] .. actor .. string_of[#fingerprint] .. fingerprint
    .. ONE_LINE .. string_of[#sku] .. sku .. string_of[#location] .. location .. units .. units
    .. (is_order and ZERO or units) .. (is_order and units or ZERO) .. pack(left) .. seq .. tail
end

-- The head of a record, and the optional values behind its lines, packed: none, or all up to the flags; or all, of one
-- that counts.
local function tail_of(order_ref, customer_ref, flags, quota)
  if not quota and order_ref == '' and customer_ref == '' and not flags then return RECORD, '' end
  local head, last = LONG_RECORD, ''
  if quota then head, last = COUNTED_RECORD, quota.tail end
  if flags or #order_ref > HEADED_MAX or #customer_ref > HEADED_MAX then
    return head, pack(order_ref, customer_ref, flags or NONE) .. last
  end
  return head, string_of[#order_ref] .. order_ref .. string_of[#customer_ref] .. customer_ref .. NO_FLAGS .. last
end

-- Whether any of the values that were read is there.
local function has_any(values)
  for i = 1, #values do
    if values[i] then return true end
  end
  return false
end

-- Stock records as several reads and changes them: [packed seq once it has changed, on_hand, …, safety, units left].
local LEFT = 1 + Stock.seq

-- Reads the stock of several, and takes the units of their lines. Returns the records, of which one each line is, and
-- what it leaves; or nil.
local function take_units(stock_key, fields, n)
  local names, numbers, entries, entry_of, lefts, count = {}, {}, {}, {}, {}, 0
  for at = 1, n, VALUES do
    local location = fields[at + (Reserve.lines + 1)]
    local field = fields[at + Reserve.lines] .. '\0' .. (location == '' and DEFAULT_LOCATION or location)
    local number = numbers[field]
    if not number then
      number = #names + 1
      names[number], numbers[field] = field, number
    end
    count = count + 1
    entry_of[count] = number
  end
  local stored = hash_get_many(stock_key, names)
  for number = 1, #names do
    if not stored[number] then return nil end
    local entry = {unpack_some(stored[number], Stock.seq, 1)}
    if entry[1] >= 0 then return nil end
    entry[LEFT] = entry[1 + Stock.on_hand] - entry[1 + Stock.held] - entry[1 + Stock.committed]
      - entry[1 + Stock.damaged] - entry[1 + Stock.quality_control] - entry[1 + Stock.safety]
    entries[number] = entry
  end
  for i = 1, count do
    local entry, units = entries[entry_of[i]], fields[VALUES * i - (VALUES - 1) + (Reserve.lines + 2)]
    local left = entry[LEFT] - units
    if left < 0 or units <= 0 then return nil end
    entry[LEFT], entry_of[i], lefts[i] = left, entry, left
  end
  return names, entries, entry_of, lefts
end

-- Whether all ids are new.
local function are_new(keys, fields, n)
  local ids, seen, count = {}, {}, 0
  for at = 1, n, VALUES do
    -- Without a fingerprint the id is the server's own and new.
    if fields[at + Reserve.fingerprint] ~= '' then
      local id = fields[at + Reserve.reservation_id]
      if seen[id] then return false end
      count = count + 1
      ids[count], seen[id] = id, true
    end
  end
  return not has_any(hash_get_many(keys[3], ids)) and not has_any(hash_get_many(keys[4], ids))
end

-- Whether all are new and of one line.
local function are_plain(fields, n)
  if n % VALUES ~= 0 then return false end
  for at = 1, n, VALUES do
    local is_plain = NEW_CHANGE[fields[at]] and fields[at + Reserve.line_count] == 1
    if not is_plain or fields[at + Reserve.channel_lines] then return false end
  end
  return true
end

-- Whether the units of all lines may be taken without further questions.
local function are_usual(meta, found, fields, n)
  if not (found[PLACES] or found[SHORTAGE] or found[RENAMES]) then return true end
  for at = 1, n, VALUES do
    local location, channel = fields[at + (Reserve.lines + 1)], false
    if location == '' then location, channel = DEFAULT_LOCATION, fields[at + Reserve.channel] end
    if not is_usual(meta, found, location, channel) then return false end
  end
  return true
end

local function write_several(keys, seq, names, entries, live, deadlines, changes, counted)
  local records = {}
  for number = 1, #names do
    local entry = entries[number]
    records[2 * number - 1] = names[number]
    records[2 * number] = stock_record_of(entry[2], entry[3], entry[4], entry[5], entry[6], entry[7], entry[1])
  end
  call('XADD', keys[8], '*', 'e', array_of(#changes) .. concat(changes))
  flush('HSET', keys[1], records)
  if counted then call('HSET', keys[9], 'seq', seq, unpack(counted)) else call('HSET', keys[9], 'seq', seq) end
  flush('ZADD', keys[5], deadlines)
  flush('HSET', keys[3], live)
end

-- Reads what is asked of meta, and the counters of quotas, see lib/quotas.lua. Returns both, the latter as they are to
-- be; nil where one has no room.
local function read_meta(meta, fields, n)
  local growths = quotas.growths_of(fields, n, VALUES)
  if not growths then return call('HMGET', meta, 'seq', 'places', 'shortage', 'renames') end
  local names = quotas.growing(growths)
  if not names then return nil end
  local found = call('HMGET', meta, 'seq', 'places', 'shortage', 'renames', unpack(names))
  local counted = quotas.grown(growths, names, found)
  if counted then return found, counted end
  return nil
end

local function several(keys, args)
  local fields = {unpack_msg(args[2])}
  local n = #fields
  if not are_plain(fields, n) then return nil, fields end
  local names, entries, entry_of, lefts = take_units(keys[1], fields, n)
  if not names then return nil, fields end
  local found, counted = read_meta(keys[9], fields, n)
  if not found or not are_usual(keys[9], found, fields, n) or not are_new(keys, fields, n) then return nil, fields end

  local now_ms, seq, count, starts = clock_ms(), found[SEQ] or 0, 0, {}
  local live, deadlines, changes, answers = {}, {}, {}, {}
  local text, quota = false, false -- the quota of the one before
  for at = 1, n, VALUES do
    count, seq = count + 1, seq + 1
    local tag, id, location = fields[at], fields[at + Reserve.reservation_id], fields[at + (Reserve.lines + 1)]
    local entry, units, packed_seq = entry_of[count], fields[at + (Reserve.lines + 2)], pack(seq)
    if fields[at + Reserve.quota] ~= text then
      text = fields[at + Reserve.quota]
      quota = text and quotas.of(text)
    end
    local ttl_ms = tag == 'order' and 0 or fields[at + Reserve.ttl_ms] -- an order has accept_shortage there
    local is_order, start = ttl_ms == 0, starts[ttl_ms]
    if not start then
      start = start_of(now_ms, ttl_ms)
      starts[ttl_ms] = start
    end
    local record = record_of_one(
      start, is_order, packed_seq, fields[at + Reserve.channel], fields[at + Reserve.actor],
      fields[at + Reserve.fingerprint], fields[at + Reserve.lines], location == '' and DEFAULT_LOCATION or location,
      packed(units), lefts[count],
      tail_of(fields[at + Reserve.order_ref], fields[at + Reserve.customer_ref], fields[at + Reserve.flags], quota)
    )
    entry[1] = packed_seq
    if is_order then
      entry[1 + Stock.committed] = entry[1 + Stock.committed] + units
    else
      entry[1 + Stock.held] = entry[1 + Stock.held] + units
      deadlines[#deadlines + 1] = now_ms + ttl_ms
      deadlines[#deadlines + 1] = id
    end
    live[2 * count - 1], live[2 * count] = id, record
    changes[count] = NEW_CHANGE[tag] .. string_of[#id] .. id .. record
    answers[count] = FIRST_CHANGED .. record
  end
  write_several(keys, seq, names, entries, live, deadlines, changes, counted)
  answers[count + 1] = args[3]
  return answers
end

-- The same for one that is alone in its call: it makes no table, reads single values, and its last question is its
-- first write, whether there is such an id.
function short_way(keys, args)
  if not pack then return nil end -- before the first call of a process
  local behind, tag, fingerprint, actor, id, channel, ttl_ms, _, order_ref, customer_ref, flags, channel_lines, quota,
    line_count, sku, location, quantity = unpack_some(args[2], VALUES, 0)
  local change = NEW_CHANGE[tag]
  if not change or line_count ~= 1 or channel_lines then return nil end
  if behind >= 0 then return several(keys, args) end
  if tag == 'order' then ttl_ms = 0 end -- it has accept_shortage there
  local is_named, is_order = location ~= '', ttl_ms == 0
  if not is_named then location = DEFAULT_LOCATION end

  local field = sku .. '\0' .. location
  local stored = call('HGET', keys[1], field)
  if not stored then return nil end
  local rest, on_hand, held, committed, damaged, quality_control, safety = unpack_some(stored, Stock.seq, 1)
  local left = on_hand - damaged - quality_control - safety - held - committed - quantity
  if rest >= 0 or left < 0 or quantity <= 0 then return nil end
  local meta = keys[9]
  local found, counted, of_customer, counted_of_each
  if quota then
    quota = quotas.of(quota)
    found, counted, of_customer, counted_of_each = quotas.read_short(meta, quota, customer_ref, quantity)
    if not counted then return nil end
  else
    found = call('HMGET', meta, 'seq', 'places', 'shortage', 'renames')
  end
  if not is_usual(meta, found, location, not is_named and channel) then return nil end
  -- Without a fingerprint the id is the server's own and new.
  if fingerprint ~= '' and call('HEXISTS', keys[4], id) == 1 then return nil end

  local now_ms, seq = clock_ms(), (found[SEQ] or 0) + 1
  local packed_seq = pack(seq)
  local record = record_of_one(
    start_of(now_ms, ttl_ms), is_order, packed_seq, channel, actor, fingerprint, sku, location, packed(quantity), left,
    tail_of(order_ref, customer_ref, flags, quota)
  )
  if call('HSETNX', keys[3], id, record) == 0 then return nil end
  call('XADD', keys[8], '*', 'e', ONE_CHANGE .. change .. string_of[#id] .. id .. record)
  if is_order then committed = committed + quantity else held = held + quantity end
  call(
    'HSET', keys[1], field, stock_record_of(on_hand, held, committed, damaged, quality_control, safety, packed_seq)
  )
  if of_customer then call('HSET', meta, 'seq', seq, quota.counter, counted, of_customer, counted_of_each)
  elseif counted then call('HSET', meta, 'seq', seq, quota.counter, counted)
  else call('HSET', meta, 'seq', seq) end
  if not is_order then call('ZADD', keys[5], now_ms + ttl_ms, id) end
  return {FIRST_CHANGED .. record, args[3]}
end

end
