-- return: takes shipped units back, at any location.
--
-- Fields  Return in server/domain/operations/reservations.py; no location: that of the line; a text in place of a line
--         is the channel's key or a SKU, see lib/channel_lines.lua
-- Effect  on_hand +, and damaged or quality_control + by the disposition. The SKU becomes known at the location. The
--         state of the reservation stays; its lines count the returned units. Those of an untracked SKU go nowhere.
-- Answers changed · unknown_reservation · not_fulfilled · exceeds_remaining (more than was shipped and not returned)
--         · line_unmapped · out_of_range · too_many_places · similar_name · unregistered_location
--         · location_mirrored (it is filled from outside)

-- Returns each wanted part to the stock and counts it in its line. Returns the journal lines and the stock entries.
local function receive_lines(record, wanted)
  local journal_lines, entries = {}, {}
  for _, want in ipairs(wanted) do
    local number, units = want[ReturnedLine.line], want[ReturnedLine.quantity]
    local disposition, location = want[ReturnedLine.disposition], want[ReturnedLine.location]
    local line = record[Record.lines][number]
    if location == '' or line[Line.location] == '' then location = line[Line.location] end
    local stock_of_line = stock_entry(line[Line.sku], location)
    if line[Line.location] ~= '' then receive_units(stock_of_line, journal_lines, units, disposition, number) end
    line[Line.returned] = line[Line.returned] + units
    entries[#entries + 1] = stock_of_line
  end
  return journal_lines, entries
end

-- The refusal where the returned units take a counter out of its range, would lie where somebody else alone says what
-- lies there, or a name is new and like another; or nil.
local function refusal_of_places(record, wanted, actor)
  local changes = {}
  for _, want in ipairs(wanted) do
    local line, location = record[Record.lines][want[ReturnedLine.line]], want[ReturnedLine.location]
    local units = want[ReturnedLine.quantity]
    if line[Line.location] ~= '' then
      changes[#changes + 1] = {
        entry = stock_entry(line[Line.sku], location ~= '' and location or line[Line.location]), units = units,
        number = want[ReturnedLine.line], deltas = deltas_of_arrival(units, want[ReturnedLine.disposition]),
      }
      local entry = changes[#changes].entry
      local refused_line = {want[ReturnedLine.line], entry.sku, entry.location, units, 0}
      local refusal = place_rules.refuse_mirrored(entry.location, actor, {refused_line}, record[Record.state])
      if refusal then return refusal end
    end
  end
  return range.refusal(changes, record[Record.state]) or likeness.refusal(changes, record[Record.state])
end

-- exchanged_for: the id of the reservation that replaces the units in an exchange, else nil.
local function return_units(fields, at, exchanged_for)
  local actor, id, wanted = fields[at + Return.actor], fields[at + Return.reservation_id], fields[at + Return.lines]
  local reason = fields[at + Return.reason]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  if total(record, Line.fulfilled) == 0 then return refused('not_fulfilled', record[Record.state]) end
  local expanded, used = channel_lines.expand_return(record, wanted)
  if not expanded then return exceeds_remaining(record, used) end
  wanted = expanded
  local parts, excess = select_parts(record, wanted, Line.fulfilled, Line.returned)
  if not parts then return exceeds_remaining(record, excess) end
  local refusal = refusal_of_places(record, wanted, actor)
  if refusal then return refusal end
  channel_lines.count(used, ChannelLine.returned)
  local journal_lines, entries = receive_lines(record, wanted)
  note(record, 'return_reason', reason)
  note(record, 'exchanged_for', exchanged_for or '')
  derive_state(entry, 'fulfilled', journal_lines)
  local notes = notes_of({{'reason', reason}, {'exchanged_for', exchanged_for or ''}})
  journal('return', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('return', return_units)
