-- relocate: reserved units are to come from another location.
--
-- Fields  Relocate in server/domain/operations/reservations.py
-- Effect  of the line: held first, then committed -, released +; at the destination both +, in a line at the end of the
--         record that was made by this or an earlier relocation. What lies there already stays. The deadline stays.
-- Answers changed · unknown_reservation · expired · not_held · exceeds_remaining · location_closed · unknown_sku
--         · too_many_lines · out_of_stock · retry_after_expiry

-- What is to be moved, as lib/relocation.lua takes it, or nil and the refusal.
local function read_moves(record, wanted)
  local moves, gone = {}, {}
  local excess, closed, unknown = {}, {}, {}
  for _, want in ipairs(wanted) do
    local number, units, to = want[LineRelocation.line], want[LineRelocation.quantity], want[LineRelocation.to]
    local line = record[Record.lines][number]
    if not line then
      excess[#excess + 1] = {number, '', to, units, 0}
    else
      local left = line[Line.held] + line[Line.committed] - (gone[number] or 0)
      if units == 0 then units = left end
      local told = {number, line[Line.sku], to, units, 0}
      if units > left or units == 0 then
        excess[#excess + 1] = {number, line[Line.sku], line[Line.location], max(units, 1), left}
      elseif line[Line.location] ~= to then
        local entry = stock_entry(line[Line.sku], to)
        if want[LineRelocation.closed] then closed[#closed + 1] = told
        elseif not entry.record then unknown[#unknown + 1] = told end
        gone[number] = (gone[number] or 0) + units
        moves[#moves + 1] = {number = number, units = units, entry = entry}
      end
    end
  end
  if #excess > 0 then return nil, refused('exceeds_remaining', record[Record.state], excess) end
  if #closed > 0 then return nil, refused('location_closed', record[Record.state], closed) end
  if #unknown > 0 then return nil, refused('unknown_sku', record[Record.state], unknown) end
  return moves
end

-- Why the destinations cannot take it, or nil.
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
  local record = record_of(entry) -- a promise of this very batch is there, too
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local state = record[Record.state]
  if total(record, Line.held) + total(record, Line.committed) == 0 then
    return refused(state == 'expired' and 'expired' or 'not_held', state)
  end
  local moves, refusal = read_moves(record, wanted)
  if refusal then return refusal end
  if not relocation.fits(record, moves) then return refused('too_many_lines', state) end
  refusal = shortage_there(record, moves)
  if refusal then return refusal end
  if #moves == 0 then return changed(record, NONE) end
  local journal_lines, entries = relocation.move_units(record, moves)
  settle_state(entry, state)
  journal('relocate', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, NONE)
  return changed(record, entries)
end

operation('relocate', relocate)
