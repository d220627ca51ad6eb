-- cancel: ends the commitment of ordered units that have not been shipped.
--
-- Fields  Cancel in server/domain/operations/reservations.py; no lines: all of them
-- Effect  committed -; units that the line waits for first
-- Answers changed · unknown_reservation · not_committed · exceeds_remaining

local function cancel(fields, at)
  local actor, id, wanted = fields[at + Cancel.actor], fields[at + Cancel.reservation_id], fields[at + Cancel.lines]
  local reason = fields[at + Cancel.reason]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.committed) + total(record, Line.owed) == 0 then
    return refused('not_committed', record[Record.state])
  end
  local parts, excess = select_parts(record, wanted, Line.committed, nil, Line.owed)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, entries = release_units(entry, parts, Line.committed, Line.owed)
  note(record, 'cancel_reason', reason)
  derive_state(entry, 'cancelled', journal_lines)
  local notes = notes_of({{'reason', reason}})
  journal('cancel', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('cancel', cancel)
