-- The expected receipts that a call reads and changes; for the function mutate_expected_receipts.
--
-- record: [sku, location, quantity, received, expected_on "2026-12-01", reference]; quantity and received in units
-- The index holds for each SKU the ids of the receipts of which units have not arrived yet. A complete receipt is kept
-- for a while, so that an old list of deliveries that is sent again does not add its units a second time.

-- expected_receipts: id -> {id, record or nil, was_there, indexed_under (a SKU or nil), changed}. The other: the list
-- of those that changed.
local expected_receipts, changed_expected_receipts

-- Units that have not arrived yet; more may have arrived than were expected.
local function still_expected(record)
  return max(0, record[Receipt.quantity] - record[Receipt.received])
end

-- The SKU under which the index is to hold a record, or nil.
local function index_place(record)
  return record and still_expected(record) > 0 and record[Receipt.sku] or nil
end

-- Reads the receipts and idempotency keys of all operations of a call.
local function load_expected_receipts(fields, key)
  local ids, keys, at = {}, {}, 1
  while at <= #fields do
    local shape = SHAPES[fields[at]]
    ids[#ids + 1] = fields[at + shape.supply_id]
    if fields[at + shape.key] ~= '' then keys[#keys + 1] = fields[at + shape.key] end
    at = at + shape.length
  end
  local packed_records = hash_get_many(key, ids)
  expected_receipts, changed_expected_receipts = {}, {}
  for i, id in ipairs(ids) do
    local record = packed_records[i] and unpack_msg(packed_records[i]) or nil
    expected_receipts[id] = {
      id = id, record = record, was_there = record ~= nil, indexed_under = index_place(record), changed = false,
    }
  end
  if #keys > 0 then load_keys(keys) end
end

local function mark_expected_receipt(document)
  if document.changed then return end
  document.changed = true
  changed_expected_receipts[#changed_expected_receipts + 1] = document
end

-- Notes in moves (sku -> id -> whether the index is to hold it) how one receipt changes the index.
local function move_in_index(moves, document)
  local before, after = document.indexed_under, index_place(document.record)
  if before == after then return end
  if before then
    moves[before] = moves[before] or {}
    moves[before][document.id] = false
  end
  if after then
    moves[after] = moves[after] or {}
    moves[after][document.id] = true
  end
end

local function write_index(key, moves)
  for sku, named in pairs(moves) do
    local packed_ids, ids = call('HGET', key, sku), {}
    for _, id in ipairs(packed_ids and unpack_msg(packed_ids) or NONE) do
      if named[id] == nil then ids[#ids + 1] = id end
    end
    for id, is_named in pairs(named) do
      if is_named then ids[#ids + 1] = id end
    end
    if #ids > 0 then call('HSET', key, sku, pack(ids)) else call('HDEL', key, sku) end
  end
end

local function write_expected_receipts(key, index_key)
  local moves = {}
  for _, document in ipairs(changed_expected_receipts) do
    local id, record = document.id, document.record
    if record then call('HSET', key, id, pack(record)) else call('HDEL', key, id) end
    if record and not index_place(record) then
      call('ZADD', FORGET, NOW_MS + FULFILLED_MS, 's' .. id)
    elseif document.was_there and not document.indexed_under then
      call('ZREM', FORGET, 's' .. id)
    end
    move_in_index(moves, document)
  end
  write_index(index_key, moves)
end

-- The answer. Its tag must not change: it is stored with an idempotency key, and another release may read it.
local function expected_receipt_changed(document)
  return {'supply_changed', false, document.record}
end
