-- The stock records that a call touches: each is read once and written once, however many operations use it.
--
-- entry: {field, sku, location, record (nil: unknown here), available, claimed, shortage, is_new, on_hand_changes}
-- available: what may still be promised, kept in step with the record. claimed: units that earlier lines of the same
-- operation want. shortage: units promised beyond what there was before the first change, nil until then; it says that
-- the entry is to be written. is_new, on_hand_changes (see lib/on_hand_log.lua): where there is reason to, else nil.

-- Names a record that will be needed: gives its entry, which has no record before load_stock.
local function want_stock(sku, location)
  local field = sku .. '\0' .. location
  local entry = stock[field]
  if not entry then
    -- With what is always needed from the start: a table that grows is laid out anew each time.
    entry = {
      field = field, sku = sku, location = location, record = nil, available = 0, claimed = 0, shortage = nil,
    }
    stock[field] = entry
    unread_stock[#unread_stock + 1] = entry
  end
  return entry
end

-- The array is made here, from single values: cmsgpack fills one value by value, for three times the price.
local function stock_record(packed)
  local _, on_hand, held, committed, damaged, quality_control, safety, seq, list, backorder = unpack_some(packed, 9, 1)
  -- Few have more than seven values.
  if list == nil then return {on_hand, held, committed, damaged, quality_control, safety, seq} end
  if list then allocated = true end
  return {on_hand, held, committed, damaged, quality_control, safety, seq, list, backorder}
end

-- What a record shows outside: its buckets and seq, then what somebody has set.
local function stock_level(sku, location, r)
  return {
    sku, location, r[Stock.on_hand], r[Stock.held], r[Stock.committed], r[Stock.damaged], r[Stock.quality_control],
    r[Stock.safety], r[Stock.seq], r[Stock.allocations], r[Stock.backorder],
  }
end

local function available(r)
  return r[Stock.on_hand] - r[Stock.damaged] - r[Stock.quality_control] - r[Stock.safety]
    - r[Stock.held] - r[Stock.committed]
end

-- Reads all that were named since the last time.
local function load_stock()
  local entries = unread_stock
  local n = #entries
  if n == 0 then return end
  local fields = {}
  for i = 1, n do fields[i] = entries[i].field end
  local packed = hash_get_many(STOCK, fields)
  for i = 1, n do
    if packed[i] then
      local entry = entries[i]
      entry.record = stock_record(packed[i])
      entry.available = available(entry.record)
      if entry.record[Stock.backorder] then backorders.look(entry) end
    end
  end
  unread_stock = {}
end

local function stock_entry(sku, location)
  local entry = want_stock(sku, location)
  load_stock()
  return entry
end

local function partition_seq()
  last_seq = last_seq or tonumber(call('HGET', META, 'seq') or 0)
  return last_seq
end

-- Units promised beyond what there is.
local function shortage(entry)
  return entry.available < 0 and -entry.available or 0
end

-- Before the first change of an entry: notes what it was short of.
local function mark_changed(entry)
  if entry.shortage then return end
  entry.shortage = shortage(entry)
  changed_stock[#changed_stock + 1] = entry
end

-- Makes an unknown (SKU, location) known, with all buckets at zero.
local function create_stock(entry)
  entry.record = {0, 0, 0, 0, 0, 0, 0}
  entry.is_new = true
end

-- Gives the change that is being made its seq.
local function next_seq(record)
  local seq = (last_seq or partition_seq()) + 1
  last_seq = seq
  record[Stock.seq] = seq
  return seq
end

local function note_on_hand_change(entry, seq)
  local noted = entry.on_hand_changes or {}
  noted[#noted + 1] = seq
  noted[#noted + 1] = entry.record[Stock.on_hand]
  entry.on_hand_changes = noted
end

-- Takes units for a new promise. bucket: HELD or COMMITTED.
local function take_from(entry, bucket, units)
  if not entry.shortage then mark_changed(entry) end
  local record = entry.record
  record[bucket] = record[bucket] + units
  entry.available = entry.available - units
  next_seq(record)
end

-- Moves promised units and appends the change's line to the journal lines of the operation.
-- line: the reservation's line number. d_held, d_committed, d_on_hand: units, signed. channel: whose promise it is.
local function move(entry, journal_lines, line, d_held, d_committed, d_on_hand, channel)
  mark_changed(entry)
  local record = entry.record
  if record[Stock.backorder] then backorders.touch(entry) end
  local seq = next_seq(record)
  if d_on_hand ~= 0 then note_on_hand_change(entry, seq) end
  record[Stock.held] = record[Stock.held] + d_held
  record[Stock.committed] = record[Stock.committed] + d_committed
  record[Stock.on_hand] = record[Stock.on_hand] + d_on_hand
  entry.available = entry.available + d_on_hand - d_held - d_committed
  if allocated then allocations.follow(record, channel, d_held + d_committed, d_on_hand) end
  journal_lines[#journal_lines + 1] = {
    line, entry.sku, entry.location, d_on_hand, d_held, d_committed, 0, 0, 0, entry.available, seq,
  }
  if allocated then allocations.tell(record, journal_lines) end
end

-- Changes buckets without a promise. deltas: six signed units, in the order of the record. line: the reservation's line
-- number, nil outside any.
local function change_buckets(entry, journal_lines, deltas, line)
  mark_changed(entry)
  local record = entry.record
  if record[Stock.backorder] then backorders.touch(entry) end
  local seq = next_seq(record)
  if deltas[Stock.on_hand] ~= 0 then note_on_hand_change(entry, seq) end
  for bucket = Stock.on_hand, Stock.safety do record[bucket] = record[bucket] + deltas[bucket] end
  entry.available = available(record)
  journal_lines[#journal_lines + 1] = {
    line or 0, entry.sku, entry.location, deltas[1], deltas[2], deltas[3], deltas[4], deltas[5], deltas[6],
    entry.available, seq,
  }
  if allocated then allocations.tell(record, journal_lines) end
end
