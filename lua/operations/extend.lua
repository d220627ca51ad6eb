-- extend: moves the deadline of a hold.
--
-- Fields  Extend in server/domain/operations/reservations.py
-- Effect  deadline = now + ttl_ms, never earlier than it is and never past the hold's longest life; life_max_ms: that
--         of whoever asks, 0: of all
-- Answers changed · unknown_reservation · expired · already_committed · already_released · not_held

local function extend(fields, at)
  local actor, id, ttl_ms = fields[at + Extend.actor], fields[at + Extend.reservation_id], fields[at + Extend.ttl_ms]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if record[Record.deadline_ms] == 0 then return nothing_held(record) end
  move_deadline(record, ttl_ms, fields[at + Extend.life_max_ms])
  mark_reservation(entry)
  local notes = {{'deadline_ms', tostring(record[Record.deadline_ms])}}
  journal('extend', actor, record[Record.channel], entry.id, record[Record.state], NONE, notes)
  return changed(record, NONE)
end

operation('extend', extend)
