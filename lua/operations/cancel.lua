-- cancel: give ordered units back that have not been shipped.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines [[line, quantity], …] (empty: all),
--          7 reason]
-- Effect  committed -, of units that are waited for first
-- Answers changed · unknown_reservation · not_committed · exceeds_remaining

local function cancel(fields, at)
  local actor, id, wanted = fields[at + 2], fields[at + 3], fields[at + 5]
  local reason = fields[at + 6]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, LINE_COMMITTED) + total(record, LINE_OWED) == 0 then return refused('not_committed', record[STATE]) end
  local parts, excess = select_parts(record, wanted, LINE_COMMITTED, nil, LINE_OWED)
  if not parts then return refused('exceeds_remaining', record[STATE], excess) end
  local journal_lines, entries = give_back(entry, parts, LINE_COMMITTED, LINE_OWED)
  note(record, 'cancel_reason', reason)
  settle_state(entry, 'cancelled')
  journal('cancel', actor, record[CHANNEL], entry.id, record[STATE], journal_lines, notes_of({{'reason', reason}}))
  return changed(record, entries)
end
