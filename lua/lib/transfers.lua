-- The transfers that a call reads and changes; for the function mutate_transfers.
--
-- record: [state ("in_transit" or "closed"), shipped_ms, closed_ms (0: open), actor, fingerprint, from, to,
--          lines [[sku, quantity, received, lost], …] in units, reason, lost_reason]
-- Units in transit belong to no location. in_transit in the hash meta is their sum. The note in_transit of each journal
-- entry has the difference that it makes, so that the audit can compare the two.

-- transfers: id -> {id, record or nil, was_open, changed}; then the list of those that changed, and the units by which
-- in_transit grows.
local transfers, changed_transfers, in_transit_delta

-- The units of a line that are still in transit.
local function units_left(item)
  return item[TransferLine.quantity] - item[TransferLine.received] - item[TransferLine.lost]
end

-- Reads the transfers and idempotency keys of all operations of a call.
local function load_transfers(fields, open_key, closed_key)
  local ids, keys, at = {}, {}, 1
  while at <= #fields do
    local shape = SHAPES[fields[at]]
    ids[#ids + 1] = fields[at + shape.transfer_id]
    if fields[at + shape.key] ~= '' then keys[#keys + 1] = fields[at + shape.key] end
    at = at + shape.length
  end
  local open, closed = hash_get_many(open_key, ids), hash_get_many(closed_key, ids)
  transfers, changed_transfers, in_transit_delta = {}, {}, 0
  for i, id in ipairs(ids) do
    local packed = open[i] or closed[i]
    transfers[id] = {
      id = id, record = packed and unpack_msg(packed) or nil, was_open = open[i] and true or false, changed = false,
    }
  end
  if #keys > 0 then load_keys(keys) end
end

local function mark_transfer(document)
  if document.changed then return end
  document.changed = true
  changed_transfers[#changed_transfers + 1] = document
end

-- The answer ["transfer_changed", replayed, record, availability], see lib/answers.lua.
local function transfer_changed(record, entries)
  return {'transfer_changed', false, record, left_of(entries, nil)}
end

-- Adds the change to the journal. by: units, signed, by which in_transit grows.
local function journal_transfer(operation, actor, document, lines, by, notes)
  in_transit_delta = in_transit_delta + by
  local all = {{'transfer', document.id}, {'in_transit', string.format('%+.0f', by)}}
  for _, pair in ipairs(notes_of(notes)) do all[#all + 1] = pair end
  journal(operation, actor, '', '', '', lines, all)
end
