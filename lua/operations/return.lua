-- return: shipped units come back, to any location.
--
-- Fields  Return in server/domain/operations/reservations.py
-- Effect  on_hand +, and damaged or quality_control + where the disposition says so. The SKU becomes known at the
--         location. The state of the reservation stays: its lines show what came back.
-- Answers changed · unknown_reservation · not_fulfilled · exceeds_remaining (more than was shipped and is not back yet)

-- exchanged_for: the id of the promise that the customer gets instead, or nil.
local function take_back(fields, at, exchanged_for)
  local actor, id, wanted = fields[at + Return.actor], fields[at + Return.reservation_id], fields[at + Return.lines]
  local reason = fields[at + Return.reason]
  local entry = reservations[id]
  local record = record_of(entry) -- a promise of this very batch is there, too
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.fulfilled) == 0 then return refused('not_fulfilled', record[Record.state]) end
  local parts, excess = select_parts(record, wanted, Line.fulfilled, Line.returned)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, entries = {}, {}
  for _, want in ipairs(wanted) do
    local number, units = want[ReturnedLine.line], want[ReturnedLine.quantity]
    local disposition, location = want[ReturnedLine.disposition], want[ReturnedLine.location]
    local line = record[Record.lines][number]
    local place = stock_entry(line[Line.sku], location ~= '' and location or line[Line.location])
    take_in(place, journal_lines, units, disposition, number)
    line[Line.returned] = line[Line.returned] + units
    entries[#entries + 1] = place
  end
  note(record, 'return_reason', reason)
  note(record, 'exchanged_for', exchanged_for or '')
  settle_state(entry, 'fulfilled')
  local notes = notes_of({{'reason', reason}, {'exchanged_for', exchanged_for or ''}})
  journal('return', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('return', take_back)
