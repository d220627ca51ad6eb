-- extend: move the deadline of a hold, never back and never past its longest life.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 ttl_ms]
-- Effect  deadline = max(deadline, min(now + ttl, created + longest life))
-- Answers changed · unknown_reservation · expired · already_committed · already_released · not_held

local function extend(fields, at)
  local actor, id, ttl_ms = fields[at + 2], fields[at + 3], fields[at + 5]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if record[DEADLINE_MS] == 0 then return nothing_held(record) end
  local deadline_ms = min(NOW_MS + ttl_ms, record[CREATED_MS] + LIFE_MAX_MS)
  record[DEADLINE_MS] = max(record[DEADLINE_MS], deadline_ms)
  mark_reservation(entry)
  journal('extend', actor, record[CHANNEL], entry.id, record[STATE], NONE, {{'deadline_ms', tostring(record[DEADLINE_MS])}})
  return changed(record, NONE)
end
