-- return: shipped units come back, wherever they are brought. (The word itself belongs to Lua.)
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key,
--          6 lines [[line, quantity, disposition, location ("": where it was shipped from)], …], 7 reason]
-- Effect  on_hand +, and damaged or quality_control + where the disposition says so; the SKU becomes known at the
--         location. The state of the reservation stays: its lines tell what came back.
-- Answers changed · unknown_reservation · not_fulfilled · exceeds_remaining (more than was shipped and is not back yet)

-- exchanged_for: the id of the promise that the customer gets instead, or nil.
local function take_back(fields, at, exchanged_for)
  local actor, id, wanted, reason = fields[at + Return.actor], fields[at + Return.reservation_id], fields[at + Return.lines], fields[at + Return.reason]
  local entry = reservations[id]
  local record = record_of(entry) -- a promise of this very batch is there, too
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.fulfilled) == 0 then return refused('not_fulfilled', record[Record.state]) end
  local parts, excess = select_parts(record, wanted, Line.fulfilled, Line.returned)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, entries = {}, {}
  for _, want in ipairs(wanted) do
    local number, units, disposition, location = want[1], want[2], want[3], want[4]
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
