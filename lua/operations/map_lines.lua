-- map_lines: gives unmapped lines the SKUs that they are for, see lib/unstocked.lua.
--
-- Fields  MapLines in server/domain/operations/reservations.py
-- Effect  of each line: owed -, committed +, where an accepted order would be taken from, even if it makes a shortage.
--         Further locations get lines of their own at the end, as a relocation adds them. An untracked SKU has none. A
--         line that is mapped to the same SKU already stays as it is.
-- Answers changed · unknown_reservation · exceeds_remaining (no such line, or no units are left of it) · line_mapped
--         (to another SKU, or never unmapped) · unknown_sku · too_many_lines · out_of_range
--         · retry_after_expiry · retry_with_weight · look_in_slices
--
-- target: {number (of the line), line, sku, location (or ""), units, parts}; part: {entry (stock entry), units}

-- Adds a wanted mapping to the targets, or its line to one of the lists of refused lines.
local function read_target(record, want, targets, lists)
  local number, location = want[LineMapping.line], want[LineMapping.location]
  local sku = aliases.current(want[LineMapping.sku])
  local line = record[Record.lines][number]
  if not line then
    lists.excess[#lists.excess + 1] = {number, sku, location, 1, 0, 'line', '', #record[Record.lines]}
  elseif not unstocked.is_unmapped(line) then
    if (line[Line.text] or '') ~= '' and aliases.current(line[Line.sku]) == sku then return end
    lists.mapped[#lists.mapped + 1] = {number, line[Line.sku], line[Line.location], line[Line.quantity], 0}
  elseif line[Line.owed] == 0 then
    lists.excess[#lists.excess + 1] = {number, line[Line.sku], '', line[Line.quantity], 0}
  else
    targets[#targets + 1] = {number = number, line = line, sku = sku, location = location, units = line[Line.owed]}
  end
end

-- Returns the targets, or nil and the refusal.
local function read_targets(record, wanted)
  local targets, lists, state = {}, {excess = {}, mapped = {}}, record[Record.state]
  for _, want in ipairs(wanted) do read_target(record, want, targets, lists) end
  if #lists.mapped > 0 then return nil, refused('line_mapped', state, lists.mapped) end
  if #lists.excess > 0 then return nil, refused('exceeds_remaining', state, lists.excess) end
  return targets
end

local function refused_targets(outcome, record, targets)
  local lines = {}
  for i, target in ipairs(targets) do lines[i] = {target.number, target.sku, target.location, target.units, 0} end
  return refused(outcome, record[Record.state], lines)
end

-- Sets the parts of the targets that are for an untracked SKU. Returns the others, or nil and the refusal.
local function set_unstocked_parts(record, targets)
  local skus, others, unknown = {}, {}, {}
  for i, target in ipairs(targets) do skus[i] = target.sku end
  local known = unstocked.count_locations(skus)
  for _, target in ipairs(targets) do
    local sku, location, places_known = target.sku, target.location, known[target.sku]
    if not places_known or places_known > 0 and location ~= '' and not stock_entry(sku, location).record then
      unknown[#unknown + 1] = target
    elseif places_known == 0 then
      target.parts = {{entry = stock_entry(sku, ''), units = target.units}}
    else
      others[#others + 1] = target
    end
  end
  if #unknown > 0 then return nil, refused_targets('unknown_sku', record, unknown) end
  return others
end

-- Sets the parts of targets whose SKUs have stock: where such an order would be taken from. Returns what is answered
-- instead, or nil.
local function set_chosen_parts(record, targets)
  if #targets == 0 then return nil end
  note_short()
  local made, instead = resolve_places(line_edits.as_order(record[Record.channel], true, targets), 1, true)
  if instead then return instead end
  local taken = {}
  for _, target in ipairs(targets) do target.parts = {} end
  for place, units in ipairs(made.granted) do
    local target = targets[made.numbers and made.numbers[place] or place]
    local entry = made.fields[1 + LINES_AT + LINE_LENGTH * (place - 1)]
    target.parts[#target.parts + 1] = {entry = entry, units = units}
    taken[place] = {entry = entry, units = units, number = target.number}
  end
  return range.refuse_short(taken, record[Record.state])
end

-- Moves the units of a target from its line to the parts. moved: see lib/relocation.lua. Returns the note of what the
-- line had in place of a SKU.
local function map_line(record, target, journal_lines, entries, moved)
  local line, first = target.line, target.parts[1]
  local text, channel = line[Line.sku], record[Record.channel]
  line[Line.owed], line[Line.text] = 0, text
  line[Line.sku], line[Line.location] = first.entry.sku, first.entry.location
  line[Line.mode] = first.entry.unstocked and 'untracked' or ''
  line[Line.committed] = line[Line.committed] + first.units
  move(first.entry, journal_lines, target.number, 0, first.units, 0, channel)
  entries[#entries + 1] = first.entry
  for i = 2, #target.parts do
    local part = target.parts[i]
    relocation.put_in(record, part.entry, journal_lines, 0, part.units, moved)
    line[Line.released] = line[Line.released] + part.units
    entries[#entries + 1] = part.entry
  end
  unstocked.count(-1)
  return {'line ' .. target.number, text}
end

-- The parts of targets from one on.
local function parts_from(first, targets)
  local parts = {}
  for _, target in ipairs(targets) do
    for i = first, #target.parts do parts[#parts + 1] = target.parts[i] end
  end
  return parts
end

-- What is answered where the record has no room for the lines of further parts, or the call none for allocations there.
local function refusal_of_room(record, targets)
  if not relocation.fits(record, parts_from(2, targets)) then return refused('too_many_lines', record[Record.state]) end
  return relocation.take_allocations(record, parts_from(1, targets))
end

local function map_lines(fields, at)
  local actor, id = fields[at + MapLines.actor], fields[at + MapLines.reservation_id]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local targets, refusal = read_targets(record, fields[at + MapLines.lines])
  if refusal then return refusal end
  local others
  others, refusal = set_unstocked_parts(record, targets)
  if refusal then return refusal end
  refusal = set_chosen_parts(record, others) or refusal_of_room(record, targets)
  if refusal then return refusal end
  if #targets == 0 then return changed(record, NONE) end
  local journal_lines, entries, notes, moved = {}, {}, {}, relocation.moved_lines(record[Record.lines])
  for i, target in ipairs(targets) do notes[i] = map_line(record, target, journal_lines, entries, moved) end
  derive_state(entry, record[Record.state], journal_lines)
  journal('map_lines', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('map_lines', map_lines)
