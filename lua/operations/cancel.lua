-- cancel: release ordered units that have not been shipped.
--
-- Fields  Cancel in server/domain/operations/reservations.py; no lines: all of them
-- Effect  committed -; of units that the line waits for, those first
-- Answers changed · unknown_reservation · not_committed · exceeds_remaining

local function cancel(fields, at)
  local actor, id, wanted = fields[at + Cancel.actor], fields[at + Cancel.reservation_id], fields[at + Cancel.lines]
  local reason = fields[at + Cancel.reason]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.committed) + total(record, Line.owed) == 0 then return refused('not_committed', record[Record.state]) end
  local parts, excess = select_parts(record, wanted, Line.committed, nil, Line.owed)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, entries = give_back(entry, parts, Line.committed, Line.owed)
  note(record, 'cancel_reason', reason)
  settle_state(entry, 'cancelled')
  journal('cancel', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes_of({{'reason', reason}}))
  return changed(record, entries)
end

operation('cancel', cancel)
