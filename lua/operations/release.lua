-- release: ends a hold, whole or in part, before its deadline.
--
-- Fields  Release in server/domain/operations/reservations.py; no lines: all of them; a text in place of a line is the
--         channel's key or a SKU, see lib/channel_lines.lua
-- Effect  held -; units that the line waits for first. A part that exceeds what is held is refused as a whole.
--         remember: as in a cancel
-- Answers changed · unknown_reservation · exceeds_remaining · expired · already_committed · already_released
--         · not_held · too_many_remembered

local function release(fields, at)
  local actor, id, wanted = fields[at + Release.actor], fields[at + Release.reservation_id], fields[at + Release.lines]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if fields[at + Release.remember] and (not record or tombstones.is(record)) then
    return tombstones.leave(entry, 'release', actor, '')
  end
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if record[Record.deadline_ms] == 0 then return nothing_held(record) end
  local parts, excess, used = channel_lines.select_parts(record, wanted, Line.held, Line.waiting)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  channel_lines.count(used, ChannelLine.cancelled)
  local journal_lines, entries = release_units(entry, parts, Line.held, Line.waiting)
  derive_state(entry, 'released', journal_lines)
  journal('release', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, NONE)
  return changed(record, entries)
end

operation('release', release)
