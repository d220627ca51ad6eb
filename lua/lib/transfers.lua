-- The records of the transfers that a call touches; for the function mutate_transfers.
--
-- record: [state (in_transit, closed), shipped_ms, closed_ms, actor, fingerprint, from, to,
--          lines [[sku, quantity, received, lost], …], reason, lost_reason]
-- Units on their way belong to no location. meta in_transit is their sum, and the journal tells by how much each change
-- moved it (note in_transit), so that none can get lost between two documents.

-- What the call has read: id -> {id, record or nil, was_open, changed}; by how much in_transit grows.
local transfers, changed_transfers, in_transit_delta

local function units_left(item)
  return item[TransferLine.quantity] - item[TransferLine.received] - item[TransferLine.lost]
end

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

local function transfer_changed(record, entries)
  return {'transfer_changed', false, record, left_of(entries, nil)}
end

local function journal_transfer(operation, actor, document, lines, by, notes)
  in_transit_delta = in_transit_delta + by
  local all = {{'transfer', document.id}, {'in_transit', string.format('%+.0f', by)}}
  for _, pair in ipairs(notes_of(notes)) do all[#all + 1] = pair end
  journal(operation, actor, '', '', '', lines, all)
end
