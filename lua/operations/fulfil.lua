-- fulfil: ships ordered units.
--
-- Fields  Fulfil in server/domain/operations/reservations.py; no lines: all of them; a text in place of a line is the
--         channel's key or a SKU, see lib/channel_lines.lua
-- Effect  committed - and on_hand -, so available stays the same. With a tracking number the note "parcel" says what
--         left with it: "1:2 3:1" are two units of line 1 and one of line 3. It comes behind the parcel's other notes.
--         The reason stands in the journal alone.
-- Answers changed · unknown_reservation · not_committed · exceeds_remaining · line_unmapped

-- The refusal of a reservation that has nothing to ship.
local function nothing_committed(record)
  local unmapped = {}
  for number, line in ipairs(record[Record.lines]) do
    local owed = line[Line.owed] or 0
    if unstocked.is_unmapped(line) and owed > 0 then unmapped[#unmapped + 1] = {number, line[Line.sku], '', owed, 0} end
  end
  return refused(#unmapped > 0 and 'line_unmapped' or 'not_committed', record[Record.state], unmapped)
end

-- The units of each line that leave, as text.
local function contents(record, parts)
  local texts = {}
  for number in ipairs(record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then texts[#texts + 1] = string.format('%.0f:%.0f', number, units) end
  end
  return concat(texts, ' ')
end

local function fulfil(fields, at)
  local actor, id, wanted = fields[at + Fulfil.actor], fields[at + Fulfil.reservation_id], fields[at + Fulfil.lines]
  local tracking, carrier = fields[at + Fulfil.tracking], fields[at + Fulfil.carrier]
  local invoice_ref = fields[at + Fulfil.invoice_ref]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.committed) == 0 then return nothing_committed(record) end
  local parts, excess = channel_lines.select_parts(record, wanted, Line.committed)
  if not parts then return exceeds_remaining(record, excess) end
  -- The signs are of held, committed and on_hand.
  local journal_lines, entries = move_parts(record, parts, Line.committed, Line.fulfilled, 0, -1, -1)
  local notes = notes_of({{'tracking', tracking}, {'carrier', carrier}, {'invoice_ref', invoice_ref}})
  for _, pair in ipairs(notes) do note(record, pair[1], pair[2]) end
  if tracking ~= '' then note(record, 'parcel', contents(record, parts)) end
  local reason = fields[at + Fulfil.reason]
  if reason ~= '' then notes[#notes + 1] = {'reason', reason} end
  derive_state(entry, 'fulfilled', journal_lines)
  journal('fulfil', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('fulfil', fulfil)
