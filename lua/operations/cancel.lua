-- cancel: give ordered units back that have not been shipped.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines [[line, quantity], …] (empty: all),
--          7 reason]
-- Effect  committed -, of units that are waited for first
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
