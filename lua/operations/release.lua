-- release: give held units back before the deadline.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines [[line, quantity], …] (empty: all)]
-- Effect  held -, of units that are waited for first; a part that is larger than what is held is refused whole
-- Answers changed · unknown_reservation · exceeds_remaining · expired · already_committed · already_released
--         · not_held

local function release(fields, at)
  local actor, id, wanted = fields[at + 2], fields[at + 3], fields[at + 5]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if record[DEADLINE_MS] == 0 then return nothing_held(record) end
  local parts, excess = select_parts(record, wanted, LINE_HELD, nil, LINE_WAITING)
  if not parts then return refused('exceeds_remaining', record[STATE], excess) end
  local journal_lines, entries = give_back(entry, parts, LINE_HELD, LINE_WAITING)
  settle_state(entry, 'released')
  journal('release', actor, record[CHANNEL], entry.id, record[STATE], journal_lines, NONE)
  return changed(record, entries)
end
