-- cancel_transfer: takes a transfer back that never left: its units are at the source again.
--
-- Fields  CancelTransfer in server/domain/operations/transfers.py
-- Effect  on_hand + at the source by all units of the transfer, which is cancelled. A cancelled one stays as it is.
-- Answers transfer_changed · unknown_transfer · transfer_closed · transfer_arrived (some units of it were received)
--         · out_of_range

-- The lines of which units were received, as refused takes them.
local function arrived_lines(record)
  local lines = {}
  for number, item in ipairs(record[Transfer.lines]) do
    local received = item[TransferLine.received]
    if received > 0 then
      lines[#lines + 1] = {
        number, item[TransferLine.sku], record[Transfer.destination], item[TransferLine.quantity], received,
      }
    end
  end
  return lines
end

-- What the units of each line change at the source, as lib/range.lua takes it.
local function changes_there(record)
  local changes = {}
  for number, item in ipairs(record[Transfer.lines]) do
    local units = item[TransferLine.quantity]
    changes[number] = {
      entry = stock_entry(item[TransferLine.sku], record[Transfer.source]), units = units, number = number,
      deltas = {units, 0, 0, 0, 0, 0}, -- on_hand is the first bucket
    }
  end
  return changes
end

local function cancel_transfer(fields, at)
  local actor, id = fields[at + CancelTransfer.actor], fields[at + CancelTransfer.transfer_id]
  local reason = fields[at + CancelTransfer.reason]
  local document = transfers[id]
  local instead = work.take(document, Transfer.lines)
  if instead then return instead end
  local record = document.record
  if not record then return refused('unknown_transfer') end
  local state = record[Transfer.state]
  if state == 'cancelled' then return {'transfer_changed', true, record, NONE} end
  if state ~= 'in_transit' then return refused('transfer_closed', state) end
  local arrived = arrived_lines(record)
  if #arrived > 0 then return refused('transfer_arrived', state, arrived) end
  local changes = changes_there(record)
  local refusal = range.refusal(changes, state)
  if refusal then return refusal end
  local journal_lines, entries, units = {}, {}, 0
  for i, change in ipairs(changes) do
    change_buckets(change.entry, journal_lines, change.deltas)
    entries[i], units = change.entry, units + change.units
    local item = record[Transfer.lines][i]
    item[TransferLine.cancelled] = change.units
  end
  record[Transfer.state], record[Transfer.closed_ms] = 'cancelled', NOW_MS
  record[Transfer.cancel_reason] = reason
  mark_transfer(document)
  journal_transfer('transfer_cancel', actor, document, journal_lines, -units, {{'reason', reason}})
  return transfer_changed(record, entries)
end

operation('cancel_transfer', cancel_transfer)
