-- The transfers that a call reads and changes; for the function mutate_transfers.
--
-- record: [state ("in_transit", "closed" or "cancelled"), shipped_ms, closed_ms (0: open), actor, fingerprint, from,
--          to, lines [[sku, quantity, received, lost, cancelled], …] in units, reason, lost_reason, cancel_reason]
-- cancelled and cancel_reason are there where the transfer was cancelled.
-- Units in transit belong to no location. in_transit in the hash meta is their sum. The note in_transit of each journal
-- entry has the difference that it makes, so that the audit can compare the two.

-- transfers: id -> {id, record or nil, was_open, changed}, nil where it was not read, see lib/work.lua; then the list
-- of those that changed, and the units by which in_transit grows.
local transfers, changed_transfers, in_transit_delta

-- The units of a line that are still in transit.
local function units_left(item)
  return item[TransferLine.quantity] - item[TransferLine.received] - item[TransferLine.lost]
    - (item[TransferLine.cancelled] or 0)
end

local load_transfers

do

-- Reads some of the transfers. Returns what work.read wants.
local function read_transfers(ids, first, last, open_key, closed_key)
  local open = call('HMGET', open_key, unpack(ids, first, last))
  local closed = call('HMGET', closed_key, unpack(ids, first, last))
  local bytes, lines = 0, 0
  for i = first, last do
    local id, is_open = ids[i], open[i - first + 1]
    local packed = is_open or closed[i - first + 1]
    local record = packed and unpack_msg(packed) or nil
    if not transfers[id] then
      transfers[id] = {id = id, record = record, was_open = is_open and true or false, changed = false}
    end
    if record then bytes, lines = bytes + #packed, lines + #record[Transfer.lines] end
  end
  return bytes, lines
end

-- Reads the transfers and idempotency keys of all operations of a call.
function load_transfers(fields, open_key, closed_key)
  local ids, keys, at = {}, {}, 1
  while at <= #fields do
    at = likeness.behind(fields, at)
    local shape = SHAPES[fields[at]]
    ids[#ids + 1] = fields[at + shape.transfer_id]
    if fields[at + shape.key] ~= '' then keys[#keys + 1] = fields[at + shape.key] end
    at = at + shape.length
  end
  transfers, changed_transfers, in_transit_delta = {}, {}, 0
  work.read(#ids, work.lines_max(), function(first, last)
    return read_transfers(ids, first, last, open_key, closed_key)
  end)
  if #keys > 0 then load_keys(keys) end
end

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
