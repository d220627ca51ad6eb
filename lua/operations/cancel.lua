-- cancel: ends the commitment of ordered units that have not been shipped.
--
-- Fields  Cancel in server/domain/operations/reservations.py; no lines: all of them; a text in place of a line is the
--         channel's key or a SKU, see lib/channel_lines.lua
-- Effect  committed -; units that the line waits for first. remember: where there is no such reservation yet, it is
--         recorded as cancelled when it comes, see lib/tombstones.lua
-- Answers changed · unknown_reservation · not_committed · exceeds_remaining · too_many_remembered

local function cancel(fields, at)
  local actor, id, wanted = fields[at + Cancel.actor], fields[at + Cancel.reservation_id], fields[at + Cancel.lines]
  local reason = fields[at + Cancel.reason]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if fields[at + Cancel.remember] and (not record or tombstones.is(record)) then
    return tombstones.leave(entry, 'cancel', actor, reason)
  end
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.committed) + total(record, Line.owed) == 0 then
    return refused('not_committed', record[Record.state])
  end
  local parts, excess, used = channel_lines.select_parts(record, wanted, Line.committed, Line.owed)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  channel_lines.count(used, ChannelLine.cancelled)
  local journal_lines, entries = release_units(entry, parts, Line.committed, Line.owed)
  note(record, 'cancel_reason', reason)
  derive_state(entry, 'cancelled', journal_lines)
  local notes = notes_of({{'reason', reason}})
  journal('cancel', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('cancel', cancel)
