-- The stock records that a call touches: each is read once and written once, however many operations use it.
--
-- entry: {field, sku, location, record (nil: unknown here), claimed, changed, is_new, shortage, on_hand_changes}
-- claimed: units that earlier lines of the same operation want; on_hand_changes: see lib/on_hand_log.lua

local ON_HAND, HELD, COMMITTED, DAMAGED, QUALITY_CONTROL, SAFETY, SEQ = 1, 2, 3, 4, 5, 6, 7

-- Names a record that will be needed: gives its entry, which has no record before load_stock.
local function want_stock(sku, location)
  local field = sku .. '\0' .. location
  local entry = stock[field]
  if not entry then
    -- With all its fields from the start: a table that grows is laid out anew each time.
    entry = {
      field = field, sku = sku, location = location, record = nil, claimed = 0, changed = false, is_new = false,
      shortage = 0, on_hand_changes = nil,
    }
    stock[field] = entry
    unread_stock[#unread_stock + 1] = entry
  end
  return entry
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
    if packed[i] then entries[i].record = unpack_msg(packed[i]) end
  end
  unread_stock = {}
end

local function stock_entry(sku, location)
  local entry = want_stock(sku, location)
  load_stock()
  return entry
end

local function available(entry)
  local r = entry.record
  return r[1] - r[4] - r[5] - r[6] - r[2] - r[3]
end

local function partition_seq()
  if not last_seq then last_seq = tonumber(call('HGET', META, 'seq') or 0) end
  return last_seq
end

-- Before the first change of an entry: notes what it was short of.
local function mark_changed(entry)
  if entry.changed then return end
  entry.changed = true
  entry.shortage = max(0, -available(entry))
  changed_stock[#changed_stock + 1] = entry
end

-- Makes an unknown (SKU, location) known, with all buckets at zero.
local function create_stock(entry)
  entry.record = {0, 0, 0, 0, 0, 0, 0}
  entry.is_new = true
end

-- Gives the change that is being made its seq.
local function next_seq(record)
  local seq = partition_seq() + 1
  last_seq = seq
  record[SEQ] = seq
  return seq
end

local function note_on_hand_change(entry, seq)
  local noted = entry.on_hand_changes or {}
  noted[#noted + 1] = seq
  noted[#noted + 1] = entry.record[ON_HAND]
  entry.on_hand_changes = noted
end

-- Moves promised units; appends the change's line to the journal lines of the operation and returns its seq.
-- line: the reservation's line number. d_held, d_committed, d_on_hand: units, signed.
local function move(entry, journal_lines, line, d_held, d_committed, d_on_hand)
  mark_changed(entry)
  local record = entry.record
  local seq = next_seq(record)
  if d_on_hand ~= 0 then note_on_hand_change(entry, seq) end
  record[HELD] = record[HELD] + d_held
  record[COMMITTED] = record[COMMITTED] + d_committed
  record[ON_HAND] = record[ON_HAND] + d_on_hand
  journal_lines[#journal_lines + 1] =
    {line, entry.sku, entry.location, d_on_hand, d_held, d_committed, 0, 0, 0, available(entry), seq}
  return seq
end

-- Changes buckets outside any reservation. deltas: six signed units, in the order of the record.
local function change_buckets(entry, journal_lines, deltas)
  mark_changed(entry)
  local record = entry.record
  local seq = next_seq(record)
  if deltas[ON_HAND] ~= 0 then note_on_hand_change(entry, seq) end
  for bucket = ON_HAND, SAFETY do record[bucket] = record[bucket] + deltas[bucket] end
  journal_lines[#journal_lines + 1] = {
    0, entry.sku, entry.location, deltas[1], deltas[2], deltas[3], deltas[4], deltas[5], deltas[6],
    available(entry), seq,
  }
end
