-- arrive: units of a transfer are received at its destination, all or some; units that will not arrive are written off.
--
-- Fields  Arrive in server/domain/operations/transfers.py
-- Effect  on_hand + at the destination, and damaged or quality_control + by the disposition. The SKU becomes
--         known there. With no units left in transit the transfer is closed.
-- Answers transfer_changed · unknown_transfer · transfer_closed · exceeds_remaining (more than is in transit)
--         · out_of_range · too_many_places

-- All units in transit, as an ArrivedLine for each line: [line, quantity, disposition].
local function everything_in(record)
  local lines = {}
  for number, item in ipairs(record[Transfer.lines]) do
    if units_left(item) > 0 then lines[#lines + 1] = {number, units_left(item), 'restock'} end
  end
  return lines
end

-- The arrived lines with more units than are in transit, as refused takes them, or nil.
local function too_much(record, arrived)
  local sums, excess = {}, {}
  for _, part in ipairs(arrived) do
    local number = part[ArrivedLine.line]
    sums[number] = (sums[number] or 0) + part[ArrivedLine.quantity]
  end
  for number, units in pairs(sums) do
    local item = record[Transfer.lines][number]
    if not item then
      excess[#excess + 1] = {number, '', '', units, 0, 'line', '', #record[Transfer.lines]}
    elseif units > units_left(item) then
      excess[#excess + 1] = {number, item[TransferLine.sku], record[Transfer.destination], units, units_left(item)}
    end
  end
  table.sort(excess, function(a, b) return a[1] < b[1] end)
  return #excess > 0 and excess or nil
end

-- The answer where the arrived units take a counter out of its range, or the call has no room for them; or nil.
local function refusal_of_range(record, arrived)
  local changes, entries = {}, {}
  for i, part in ipairs(arrived) do
    local item, units = record[Transfer.lines][part[ArrivedLine.line]], part[ArrivedLine.quantity]
    changes[i] = {
      entry = stock_entry(item[TransferLine.sku], record[Transfer.destination]), units = units,
      number = part[ArrivedLine.line], deltas = deltas_of_arrival(units, part[ArrivedLine.disposition]),
    }
    entries[i] = changes[i].entry
  end
  local refusal = range.refusal(changes, record[Transfer.state])
  return refusal or allocated and work.take_allocations(entries, #record[Transfer.lines]) or nil
end

-- Writes off the units that are still in transit. Returns how many.
local function write_off(record)
  local lost = 0
  for _, item in ipairs(record[Transfer.lines]) do
    local left = units_left(item)
    item[TransferLine.lost] = item[TransferLine.lost] + left
    lost = lost + left
  end
  return lost
end

-- Receives the arrived units. Returns journal lines, stock entries, the units received and those left in transit.
local function receive_parts(record, arrived)
  local journal_lines, entries, units, left = {}, {}, 0, 0
  for i, part in ipairs(arrived) do
    local item, quantity = record[Transfer.lines][part[ArrivedLine.line]], part[ArrivedLine.quantity]
    entries[i] = stock_entry(item[TransferLine.sku], record[Transfer.destination])
    receive_units(entries[i], journal_lines, quantity, part[ArrivedLine.disposition])
    item[TransferLine.received] = item[TransferLine.received] + quantity
    units = units + quantity
  end
  for _, item in ipairs(record[Transfer.lines]) do left = left + units_left(item) end
  return journal_lines, entries, units, left
end

local function arrive(fields, at)
  local actor, id, arrived = fields[at + Arrive.actor], fields[at + Arrive.transfer_id], fields[at + Arrive.lines]
  local everything, close = fields[at + Arrive.everything], fields[at + Arrive.close]
  local reason = fields[at + Arrive.reason]
  local document = transfers[id]
  local instead = work.take(document, Transfer.lines)
  if instead then return instead end
  local record = document.record
  if not record then return refused('unknown_transfer') end
  if record[Transfer.state] ~= 'in_transit' then return refused('transfer_closed', record[Transfer.state]) end
  if everything then arrived = everything_in(record) end
  local excess = too_much(record, arrived)
  if excess then return refused('exceeds_remaining', record[Transfer.state], excess) end
  local refusal = refusal_of_range(record, arrived)
  if refusal then return refusal end
  local journal_lines, entries, units, left = receive_parts(record, arrived)
  local lost = close and write_off(record) or 0
  if lost > 0 then record[Transfer.lost_reason] = reason end
  if left == lost then record[Transfer.state], record[Transfer.closed_ms] = 'closed', NOW_MS end
  mark_transfer(document)
  local notes = {{'lost', lost > 0 and string.format('%.0f', lost) or ''}, {'reason', reason}}
  journal_transfer('transfer_receive', actor, document, journal_lines, -units - lost, notes)
  return transfer_changed(record, entries)
end

operation('arrive', arrive)
