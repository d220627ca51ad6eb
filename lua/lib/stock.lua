-- The stock records that this script touches: each is read once and written once, however many operations use it.

local ON_HAND, HELD, COMMITTED, DAMAGED, QUALITY_CONTROL, SAFETY, SEQ = 1, 2, 3, 4, 5, 6, 7

local stock = {}          -- field -> entry
local changed_stock = {}  -- the entries to write
local last_seq = nil      -- of the partition; read when the first change needs it
local shortage_delta = 0  -- units

local function stock_field(sku, location)
  return sku .. '\0' .. location
end

local function new_entry(field, sku, location, packed)
  local entry = {
    field = field, sku = sku, location = location,
    record = packed and unpack_msg(packed) or nil, -- nil: unknown here
    claimed = 0,                                   -- units that earlier lines of the same operation want
    changed = false, is_new = false,
  }
  stock[field] = entry
  return entry
end

-- Reads many records at once. wanted: field -> {sku, location}; fields: their names, in order.
local function load_stock(fields, wanted)
  local packed = hash_get_many(STOCK, fields)
  for i = 1, #fields do
    local line = wanted[fields[i]]
    new_entry(fields[i], line[1], line[2], packed[i])
  end
end

local function stock_entry(sku, location)
  local field = stock_field(sku, location)
  return stock[field] or new_entry(field, sku, location, call('HGET', STOCK, field))
end

local function available(entry)
  local r = entry.record
  return r[1] - r[4] - r[5] - r[6] - r[2] - r[3]
end

local function next_seq()
  if not last_seq then last_seq = tonumber(call('HGET', META, 'seq') or 0) end
  last_seq = last_seq + 1
  return last_seq
end

local function mark_changed(entry)
  if entry.changed then return end
  entry.changed = true
  entry.shortage = math.max(0, -available(entry))
  changed_stock[#changed_stock + 1] = entry
end

-- Makes an unknown (SKU, location) known, with all buckets at zero.
local function create_stock(entry)
  entry.record = {0, 0, 0, 0, 0, 0, 0}
  entry.is_new = true
end

-- Moves promised units and gives the change its seq; appends its line to the journal lines of the operation.
-- line: the reservation's line number. d_held, d_committed, d_on_hand: units, signed.
local function move(entry, journal_lines, line, d_held, d_committed, d_on_hand)
  mark_changed(entry)
  local record = entry.record
  local seq = next_seq()
  record[HELD] = record[HELD] + d_held
  record[COMMITTED] = record[COMMITTED] + d_committed
  if d_on_hand ~= 0 then
    entry.on_hand_changes = entry.on_hand_changes or {}
    table.insert(entry.on_hand_changes, seq)
    table.insert(entry.on_hand_changes, record[ON_HAND])
    record[ON_HAND] = record[ON_HAND] + d_on_hand
  end
  record[SEQ] = seq
  journal_lines[#journal_lines + 1] =
    {line, entry.sku, entry.location, d_on_hand, d_held, d_committed, 0, 0, 0, available(entry), seq}
  return seq
end

-- Changes buckets outside any reservation. deltas: six signed units, in the order of the record.
local function change_buckets(entry, journal_lines, deltas)
  mark_changed(entry)
  local record = entry.record
  local seq = next_seq()
  if deltas[ON_HAND] ~= 0 then
    entry.on_hand_changes = entry.on_hand_changes or {}
    table.insert(entry.on_hand_changes, seq)
    table.insert(entry.on_hand_changes, record[ON_HAND])
  end
  for bucket = ON_HAND, SAFETY do record[bucket] = record[bucket] + deltas[bucket] end
  record[SEQ] = seq
  journal_lines[#journal_lines + 1] = {
    0, entry.sku, entry.location, deltas[1], deltas[2], deltas[3], deltas[4], deltas[5], deltas[6],
    available(entry), seq,
  }
end
