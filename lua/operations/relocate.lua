-- relocate: moves a reservation's units to other locations.
--
-- Fields  Relocate in server/domain/operations/reservations.py; quantity 0: all units of the line
-- Effect  of the line: held first, then committed -, released +; at the destination both +, in a line at the end of the
--         record, made by this or an earlier relocation. Units that are at the destination already stay. The deadline
--         stays.
-- Answers changed · unknown_reservation · expired · not_held · exceeds_remaining · line_unmapped · location_closed
--         · unknown_sku · too_many_lines · out_of_stock · retry_after_expiry

-- Adds a line to a list of refused lines, see lib/answers.lua.
local function push_line(lines, number, sku, location, requested, available_units)
  lines[#lines + 1] = {number, sku, location, requested, available_units}
end

-- Units of a line that can still be moved; taken: those that earlier moves of the request take, or nil.
local function units_left_in(line, taken)
  return line[Line.held] + line[Line.committed] - (taken or 0)
end

-- Adds one wanted relocation to the moves, or to one of the lists of refused lines. taken: line number -> units that
-- earlier moves of the request take.
local function read_move(record, want, moves, taken, lists)
  local number, units, to = want[LineRelocation.line], want[LineRelocation.quantity], want[LineRelocation.to]
  local line = record[Record.lines][number]
  if not line then
    lists.excess[#lists.excess + 1] = {number, '', to, units, 0, 'line', '', #record[Record.lines]}
    return
  end
  local sku, left = line[Line.sku], units_left_in(line, taken[number])
  if units == 0 then units = left end
  if units > left or units == 0 then
    push_line(lists.excess, number, sku, line[Line.location], max(units, 1), left)
    return
  end
  if place_rules.current(line[Line.location]) == place_rules.current(to) then return end
  local entry = stock_entry(sku, to)
  if place_rules.is_closed(to) then push_line(lists.closed, number, sku, to, units, 0)
  elseif not entry.record then push_line(lists.unknown, number, sku, to, units, 0) end
  taken[number] = (taken[number] or 0) + units
  moves[#moves + 1] = {number = number, units = units, entry = entry}
end

-- Returns the moves, as lib/relocation.lua takes them, or nil and the refusal.
local function read_moves(record, wanted)
  local moves, taken, lists = {}, {}, {excess = {}, closed = {}, unknown = {}}
  for _, want in ipairs(wanted) do read_move(record, want, moves, taken, lists) end
  local state = record[Record.state]
  if #lists.excess > 0 then return nil, exceeds_remaining(record, lists.excess) end
  if #lists.closed > 0 then return nil, refused('location_closed', state, lists.closed) end
  if #lists.unknown > 0 then return nil, refused('unknown_sku', state, lists.unknown) end
  return moves
end

-- The refusal where the destinations have too few units, or nil.
local function shortage_there(record, moves)
  local _, short = grant(moves, record[Record.channel])
  if short then
    expire_due()
    _, short = grant(moves, record[Record.channel])
  end
  if not short then return nil end
  if more_are_due then return {'retry_after_expiry'} end
  for _, line in ipairs(short) do
    line[LineRefusal.line] = moves[line[LineRefusal.line]].number
  end
  return refused('out_of_stock', record[Record.state], short)
end

local function relocate(fields, at)
  local actor, id = fields[at + Relocate.actor], fields[at + Relocate.reservation_id]
  local wanted = fields[at + Relocate.lines]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local state = record[Record.state]
  if total(record, Line.held) + total(record, Line.committed) == 0 then
    return refused(state == 'expired' and 'expired' or 'not_held', state)
  end
  local moves, refusal = read_moves(record, wanted)
  if refusal then return refusal end
  if not relocation.fits(record, moves) then return refused('too_many_lines', state) end
  refusal = relocation.take_allocations(record, moves) or shortage_there(record, moves)
  if refusal then return refusal end
  if #moves == 0 then return changed(record, NONE) end
  local journal_lines, entries = relocation.move_units(record, moves)
  derive_state(entry, state, journal_lines)
  local notes = notes_of({{'reason', fields[at + Relocate.reason]}})
  journal('relocate', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('relocate', relocate)
