-- The stock records that a call reads and changes: each is read once and written once, however many operations use it.
--
-- record: [on_hand, held, committed, damaged, quality_control, safety, seq], all but seq in units; then where they are
--         set: allocations, packed, or false (lib/allocations.lua), backorder rule (lib/backorders.lua)
-- entry:  {field, sku, location, record (nil: unknown here), available, claimed, shortage, lacked, is_new,
--          on_hand_changes}
--   field            of the hash stock: sku \0 location
--   available        kept in step with the record
--   claimed          units that earlier lines of the same operation request
--   shortage         units by which available was below zero before the first change; else nil. It marks the
--                    entry as changed, so that it is written
--   lacked           units that orders lacked before the first change, see lib/lacking.lua; nil: none
--   is_new           whether this call has made the record, else nil; is_named: and the journal names its SKU as new
--   unstocked        whether it stands in for a record, because its line has no location; see lib/unstocked.lua
--   on_hand_changes  see lib/on_hand_log.lua, else nil

-- Registers a record that will be needed. Returns its entry, which has no record before load_stock.
local function want_stock(sku, location)
  local field, lies_at = sku .. '\0' .. location, aliases.lies_at
  while lies_at and lies_at[field] do field, sku, location = unpack(lies_at[field]) end
  local entry = stock[field]
  if not entry and location == '' then
    entry = unstocked.entry(sku, field)
    stock[field] = entry
  elseif not entry then
    -- With all fields that are always needed: a table that grows is allocated again each time.
    entry = {
      field = field, sku = sku, location = location, record = nil, available = 0, claimed = 0, shortage = nil,
    }
    stock[field] = entry
    unread_stock[#unread_stock + 1] = entry
  end
  return entry
end

-- Unpacks a record. The array is made from single values here: cmsgpack would fill it at three times the cost.
local function stock_record(packed)
  local at, on_hand, held, committed, damaged, quality_control, safety, seq = unpack_some(packed, Stock.seq, 1)
  local record = {on_hand, held, committed, damaged, quality_control, safety, seq}
  if at >= 0 then allocations.add_rest(record, packed, at) end -- few records have more than seven values
  return record
end

-- The level in an answer: sku, location and the values of a record r, in its order; its allocations are packed.
local function stock_level(sku, location, r)
  return {
    sku, location, r[Stock.on_hand], r[Stock.held], r[Stock.committed], r[Stock.damaged], r[Stock.quality_control],
    r[Stock.safety], r[Stock.seq], r[Stock.allocations], r[Stock.backorder],
  }
end

-- The units of a record that can still be reserved, allocations disregarded.
local function available(r)
  return r[Stock.on_hand] - r[Stock.damaged] - r[Stock.quality_control] - r[Stock.safety]
    - r[Stock.held] - r[Stock.committed]
end

-- Sets the records of entries; false: unknown here. Returns whether all are known.
local function set_records(entries, packed_records)
  local are_known = true
  for i = 1, #entries do
    if not packed_records[i] then
      are_known = false
    else
      local entry = entries[i]
      entry.record = stock_record(packed_records[i])
      entry.available = available(entry.record)
      if entry.record[Stock.backorder] then backorders.note_read(entry) end
    end
  end
  return are_known
end

-- Makes the entry of a record that was read apart, and that has none yet.
local function stock_entry_of(sku, location, packed_record)
  local entry = want_stock(sku, location)
  unread_stock[#unread_stock] = nil
  set_records({entry}, {packed_record})
  return entry
end

-- Reads all records that were registered since the last call of it. Returns whether any lies under another name: then
-- want_stock returns another entry for it.
local load_stock

function load_stock()
  local entries = unread_stock
  local n = #entries
  if n == 0 then return false end
  local fields = {}
  for i = 1, n do fields[i] = entries[i].field end
  unread_stock = {}
  local are_known = set_records(entries, hash_get_many(STOCK, fields))
  if are_known and not aliases.are_moving() or not aliases.find(entries) then return false end
  load_stock()
  return true
end

-- The entry of a (SKU, location), with its record read.
local function stock_entry(sku, location)
  local entry = want_stock(sku, location)
  if load_stock() then return want_stock(sku, location) end
  return entry
end

-- The units by which available is below zero.
local function shortage(entry)
  return entry.available < 0 and -entry.available or 0
end

-- The reserved units of a record that are not on the shelf. Safety stock is on the shelf, and can be shipped.
local function lacks(r)
  local reserved = r[Stock.held] + r[Stock.committed]
  return min(reserved, max(0, reserved - (r[Stock.on_hand] - r[Stock.damaged] - r[Stock.quality_control])))
end

-- Makes the record of an unknown (SKU, location), with all buckets and seq at zero.
local function create_stock(entry)
  entry.record = {0, 0, 0, 0, 0, 0, 0}
  entry.is_new, work.new_place = true, entry
end

local reserve_units, move, change_buckets

do

-- Called before the first change of an entry: notes its shortage and registers it for writing.
local function mark_changed(entry)
  if entry.shortage then return end
  entry.shortage = shortage(entry)
  if entry.shortage > 0 then entry.lacked = lacks(entry.record) end -- fewer can be available, but no more can lack
  changed_stock[#changed_stock + 1] = entry
end

-- Sets and returns the seq of the change that is being made.
local function next_seq(record)
  local seq = (last_seq or partition_seq()) + 1
  last_seq = seq
  record[Stock.seq] = seq
  return seq
end

-- Adds a change of on_hand to the log of the entry, before the record is changed.
local function note_on_hand_change(entry, seq)
  local noted = entry.on_hand_changes or {}
  noted[#noted + 1] = seq
  noted[#noted + 1] = entry.record[Stock.on_hand]
  entry.on_hand_changes = noted
end

-- Adds the units of a new reservation to a bucket: Stock.held or Stock.committed.
function reserve_units(entry, bucket, units)
  if not entry.shortage then mark_changed(entry) end
  local record = entry.record
  record[bucket] = record[bucket] + units
  entry.available = entry.available - units
  next_seq(record)
end

-- Changes the reserved units of an entry, and appends a line to the journal lines of the operation.
-- line: the reservation's line number. d_held, d_committed, d_on_hand: units, signed. channel: of the reservation.
function move(entry, journal_lines, line, d_held, d_committed, d_on_hand, channel)
  if entry.unstocked then return end
  mark_changed(entry)
  local record = entry.record
  if record[Stock.backorder] then backorders.note_change(entry) end
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
  if allocated then allocations.add_to_journal_line(record, journal_lines) end
end

-- Changes buckets of an entry outside of a reservation, and appends a line to the journal lines of the operation.
-- deltas: six signed units, in the order of the record. line: the reservation's line number for a return, else nil.
function change_buckets(entry, journal_lines, deltas, line)
  mark_changed(entry)
  local record = entry.record
  if record[Stock.backorder] then backorders.note_change(entry) end
  local seq = next_seq(record)
  if deltas[Stock.on_hand] ~= 0 then note_on_hand_change(entry, seq) end
  for bucket = Stock.on_hand, Stock.safety do record[bucket] = record[bucket] + deltas[bucket] end
  entry.available = available(record)
  if entry.available < 0 then note_short() end
  journal_lines[#journal_lines + 1] = {
    line or 0, entry.sku, entry.location, deltas[1], deltas[2], deltas[3], deltas[4], deltas[5], deltas[6],
    entry.available, seq,
  }
  if allocated then allocations.add_to_journal_line(record, journal_lines) end
end

-- For what moves records and deletes them.
aliases.mark_changed, aliases.next_seq = mark_changed, next_seq

-- Whether a record is of no use: no unit, no line that waits, no allocation.
function aliases.is_spent(record)
  for bucket = Stock.on_hand, Stock.safety do
    if record[bucket] ~= 0 then return false end
  end
  local backorder = record[Stock.backorder]
  return not record[Stock.allocations] and not (backorder and backorder[Backorder.waiting] > 0)
end

end
