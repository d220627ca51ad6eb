-- The expected receipts that a call reads and changes; for the function mutate_expected_receipts.
--
-- record: [sku, location, quantity, received, expected_on "2026-12-01", reference, sscc]; units
-- The index holds for each SKU the ids of the receipts of which units have not arrived yet, and the same for each
-- parcel, under \0 and its SSCC. A complete receipt is kept for a while, so that an old list of deliveries that is sent
-- again does not add its units a second time. So is one that was removed after units of it had come: its quantity is 0,
-- and to all but operations/expect.lua it is gone.

-- expected_receipts: id -> {id, record or nil, was_there, indexed_under {a SKU or nil, a parcel or nil}, changed}

local expected_receipts, load_expected_receipts, mark_expected_receipt, has_room_for_receipt, write_expected_receipts
local journal_expected

do

local RECEIPTS_MAX = 10000 -- open ones of a SKU: two at each store of a chain of 5,000
local OF_PARCEL_MAX = 1000 -- open ones of a parcel
local REMOVED_MAX = 8 -- that are cut out of a list one by one; for more it is unpacked
local changed_receipts -- the list of those that changed
local index_key, lengths -- of the index, and how long the list of a SKU is by now

-- Units that have not arrived yet; more may have arrived than were expected.
local function still_expected(record)
  return max(0, record[Receipt.quantity] - record[Receipt.received])
end

-- The SKU and the parcel under which the index is to hold a record; empty where it is to hold it nowhere.
local function index_places(record)
  if not record or still_expected(record) == 0 then return {} end
  local sscc = record[Receipt.sscc] or ''
  return {aliases.current(record[Receipt.sku]), sscc ~= '' and '\0' .. sscc or nil}
end

-- Reads the receipts and idempotency keys of all operations of a call. index: key of the index.
function load_expected_receipts(fields, key, index)
  local ids, keys, at = {}, {}, 1
  while at <= #fields do
    at = likeness.behind(fields, at)
    local shape = SHAPES[fields[at]]
    ids[#ids + 1] = fields[at + shape.supply_id]
    if fields[at + shape.key] ~= '' then keys[#keys + 1] = fields[at + shape.key] end
    at = at + shape.length
  end
  local packed_records = hash_get_many(key, ids)
  expected_receipts, changed_receipts, index_key, lengths = {}, {}, index, {}
  for i, id in ipairs(ids) do
    local record = packed_records[i] and unpack_msg(packed_records[i]) or nil
    expected_receipts[id] = {
      id = id, record = record, was_there = record ~= nil, indexed_under = index_places(record), changed = false,
    }
  end
  if #keys > 0 then load_keys(keys) end
end

function mark_expected_receipt(document)
  if document.changed then return end
  document.changed = true
  changed_receipts[#changed_receipts + 1] = document
end

-- Whether the list of the index at a place may have one more receipt; asked once for each new one.
local function has_room(place, receipts_max)
  local length = lengths[place] or packed_lists.length(call('HGET', index_key, place))
  lengths[place] = length + 1
  return length < receipts_max
end

-- Whether its SKU and its parcel may have one more open receipt; before: its record up to now, or nil.
function has_room_for_receipt(before, sku, sscc)
  if not before and not has_room(sku, RECEIPTS_MAX) then return false end
  return sscc == '' or (before and before[Receipt.sscc] == sscc) or has_room('\0' .. sscc, OF_PARCEL_MAX)
end

local function note_move(moves, place, id, is_to_hold)
  if not place then return end
  moves[place] = moves[place] or {}
  moves[place][id] = is_to_hold
end

-- Notes in moves (place -> id -> whether the index is to hold it) how one receipt changes the index.
local function move_in_index(moves, document)
  local before, after = document.indexed_under, index_places(document.record)
  for i = 1, 2 do
    if before[i] ~= after[i] then
      note_move(moves, before[i], document.id, false)
      note_move(moves, after[i], document.id, true)
    end
  end
end

-- A list of ids without many of them; false: none is left.
local function without_many(list, named)
  local ids = {}
  for _, id in ipairs(unpack_msg(list)) do
    if named[id] == nil then ids[#ids + 1] = id end
  end
  return #ids > 0 and pack(ids)
end

local function write_list(place, named)
  local list, added, removed = call('HGET', index_key, place), {}, {}
  for id, is_named in pairs(named) do
    local ids = is_named and added or removed
    ids[#ids + 1] = id
  end
  if list and #removed > REMOVED_MAX then
    list = without_many(list, named)
  else
    for i = 1, list and #removed or 0 do list = list and packed_lists.without(list, removed[i]) end
  end
  if #added > 0 then list = packed_lists.extended(list, added) end
  if list then call('HSET', index_key, place, list) else call('HDEL', index_key, place) end
end

function write_expected_receipts(key)
  local moves = {}
  for _, document in ipairs(changed_receipts) do
    local id, record = document.id, document.record
    if record then call('HSET', key, id, pack(record)) else call('HDEL', key, id) end
    if record and still_expected(record) == 0 then
      call('ZADD', FORGET, NOW_MS + LIMITS.fulfilled_ms, 's' .. id)
    elseif document.was_there and not document.indexed_under[1] then
      call('ZREM', FORGET, 's' .. id)
    end
    move_in_index(moves, document)
  end
  for place, named in pairs(moves) do write_list(place, named) end
end

-- What the history says of a record, as JSON; empty: there is none.
local function receipt_text(record)
  if not record or record[Receipt.quantity] == 0 then return '' end
  return concat({
    '{"location":', cjson.encode(record[Receipt.location]),
    ',"quantity":', string.format('%.0f', record[Receipt.quantity]),
    ',"expected_on":', cjson.encode(record[Receipt.expected_on]),
    ',"reference":', cjson.encode(record[Receipt.reference]),
    ',"sscc":', cjson.encode(record[Receipt.sscc] or ''), '}',
  })
end

-- Adds the change by which a receipt was expected, expected otherwise, or is expected no more, unless nothing changed.
function journal_expected(operation, actor, id, before, after)
  local was, now = receipt_text(before), receipt_text(after)
  if was == now then return end
  local known = after or before
  journal(operation, actor, '', '', '', NONE, {
    {'supply', id}, {'sku', known[Receipt.sku]}, {'location', known[Receipt.location]}, {'was', was}, {'now', now},
  })
end

end

-- The answer. Its tag must not change: it is stored with an idempotency key, and another release may read it.
local function expected_receipt_changed(document)
  return {'supply_changed', false, document.record}
end
