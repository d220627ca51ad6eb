-- bind: chooses locations again for the open lines of the commit or fulfil behind it, and relocates them.
--
-- op      [1 tag, 2 splits_max, 3 split_lines, 4 location ("": the best of the candidates), 5 number of chunks, then
--          the chunks, as in a source: all candidates, or only the named location], then the commit or fulfil
-- Effect  of commit: it runs, then all units that it leaves in open lines are relocated, and those lines are open no
--         more. Of fulfil: the units to be shipped are relocated first and shipped from there; other units stay open.
--         Without a location, units that cannot be had elsewhere stay where they are; with one, that is refused.
-- Answers those of commit or fulfil · not_open · location_closed · unknown_sku · out_of_stock · too_many_lines
--         · retry_after_expiry · retry_with_weight
--
-- The journal has the relocation as one of operations/relocate.lua.
--
-- open line: {number, line, entry (of its stock), now (units that can be planned elsewhere), units (to be planned)}

local binding = {} -- all functions of this file: a chunk has room for few more locals

-- Places of the fields, counted from the tag.
local BIND_AT = {splits_max = 1, split_lines = 2, location = 3, chunk_count = 4, chunks = 5}

function binding.is_open(record)
  return record[Record.open] and not record[Record.open][Open.bound]
end

-- The units that the commit will leave in each line, or nil where it will be refused.
function binding.units_after_commit(record, wanted, keep_remainder)
  local counter = total(record, Line.held) > 0 and Line.held or Line.expired
  local is_cancelled = counter == Line.expired and record[Record.state] == 'cancelled'
  if total(record, counter) == 0 or is_cancelled then return nil end
  local parts = select_parts(record, wanted, counter)
  if not parts then return nil end
  local units = {}
  for number, line in ipairs(record[Record.lines]) do
    local taken, held = parts[number] or 0, line[Line.held]
    units[number] = line[Line.committed] + (keep_remainder and max(held, taken) or taken)
  end
  return units
end

-- Returns the open lines that are to be planned again, and the units that the operation is about, by line. nil: it will
-- be refused.
function binding.open_lines(record, tag, fields, op)
  local wanted, units = fields[op + Commit.lines], nil
  if tag == 'commit' then units = binding.units_after_commit(record, wanted, fields[op + Commit.keep_remainder])
  elseif total(record, Line.committed) > 0 then units = select_parts(record, wanted, Line.committed) end
  if not units then return nil end
  local open = {}
  for _, number in ipairs(binding.is_open(record) and record[Record.open][Open.lines] or NONE) do
    local line, planned = record[Record.lines][number], units[number] or 0
    if planned > 0 then
      local now = tag == 'commit' and line[Line.held] + line[Line.committed] or planned
      local entry = stock_entry(line[Line.sku], line[Line.location])
      open[#open + 1] = {number = number, line = line, entry = entry, now = now, units = planned}
    end
  end
  return open, units
end

-- The units of the open lines as wants, see lib/sourcing.lua.
function binding.wants_of_open(open)
  local wants, by_sku = {}, {}
  for _, each in ipairs(open) do sourcing.add_want(wants, by_sku, each.entry.sku, each.units, each.number) end
  return wants
end

-- Chooses for the open lines: SKU -> parts, or nil. Their own units count as available to them.
function binding.destinations(source, open)
  for _, each in ipairs(open) do each.entry.claimed = each.entry.claimed - each.now end
  local chosen = sourcing.choose_or_expire(source)
  for _, each in ipairs(open) do each.entry.claimed = 0 end
  return chosen and sourcing.parts_by_sku(source, chosen, sourcing.has_all)
end

-- The moves, as lib/relocation.lua takes them; as few units as possible. kept: units of each open line that stay.
function binding.moves_to(found, open, committed_only)
  local moves, kept = {}, {}
  for _, each in ipairs(open) do
    local stays = 0
    for _, part in ipairs(found[each.entry.sku]) do
      if part.entry == each.entry then
        stays = min(part.units, each.units)
        part.units = part.units - stays
      end
    end
    kept[each.number] = stays
  end
  for _, each in ipairs(open) do
    local left = each.units - kept[each.number]
    for _, part in ipairs(found[each.entry.sku]) do
      local units = min(left, part.units)
      if units > 0 then
        moves[#moves + 1] = {number = each.number, units = units, entry = part.entry, committed_only = committed_only}
        part.units, left = part.units - units, left - units
      end
    end
  end
  return moves
end

-- The refusal of a named location before any of its stock is read, or nil.
function binding.refusal_of_name(record, open, location)
  if location == '' then return nil end
  local lines = {}
  if #open == 0 then
    for number, line in ipairs(record[Record.lines]) do
      local units = line[Line.held] + line[Line.committed]
      local is_there = place_rules.current(line[Line.location]) == place_rules.current(location)
      if units > 0 and not is_there and line[Line.location] ~= '' then
        lines[#lines + 1] = {number, line[Line.sku], line[Line.location], units, 0}
      end
    end
    return #lines > 0 and refused('not_open', record[Record.state], lines) or nil
  end
  if not place_rules.is_closed(location) then return nil end
  for i, each in ipairs(open) do lines[i] = {each.number, each.entry.sku, location, each.units, 0} end
  return refused('location_closed', record[Record.state], lines)
end

function binding.source_of(fields, at, open, channel)
  return sourcing.new(
    binding.wants_of_open(open), channel, fields[at + BIND_AT.splits_max], fields[at + BIND_AT.split_lines], fields,
    at + BIND_AT.chunks
  )
end

-- The moves, or nil and the refusal.
function binding.plan_moves(record, open, fields, at, committed_only)
  local location = fields[at + BIND_AT.location]
  local refusal = binding.refusal_of_name(record, open, location)
  if refusal then return nil, refusal end
  if #open == 0 then return {} end
  local source = binding.source_of(fields, at, open, record[Record.channel])
  local found = binding.destinations(source, open)
  if not found then
    if location ~= '' or source.waits then return nil, sourcing.refusal(source, location, record[Record.state]) end
    return {}
  end
  local moves = binding.moves_to(found, open, committed_only)
  local instead = relocation.take_allocations(record, moves)
  if instead then return nil, instead end
  if relocation.fits(record, moves) then return moves end
  if location ~= '' then return nil, refused('too_many_lines', record[Record.state]) end
  return {}
end

-- Relocates units and adds that to the journal. Returns the stock entries that changed, and the number of each move's
-- line at the destination.
function binding.relocate_lines(entry, moves, actor, bound_by)
  if #moves == 0 then return NONE, NONE end
  local record = entry.record
  local journal_lines, entries, numbers = relocation.move_units(record, moves)
  derive_state(entry, record[Record.state], journal_lines)
  local notes = {{'bound_by', bound_by}}
  journal('relocate', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return entries, numbers
end

-- The answer of an operation, with the availability of the stock entries that the moves touched as well.
function binding.with_touched(result, record, touched)
  local entries = {}
  for _, each in ipairs(result[CHANGED_AVAILABILITY]) do
    entries[#entries + 1] = stock_entry(each[Availability.sku], each[Availability.location])
  end
  for _, each in ipairs(touched) do entries[#entries + 1] = each end
  return changed(record, entries)
end

-- The lines to ship after the moves: [[line, quantity], …].
function binding.parts_after(units, moves, numbers)
  local parts, wanted = {}, {}
  for number, each in pairs(units) do parts[number] = each end
  for i, move_of in ipairs(moves) do
    parts[move_of.number] = parts[move_of.number] - move_of.units
    parts[numbers[i]] = (parts[numbers[i]] or 0) + move_of.units
  end
  for number, each in pairs(parts) do
    if each > 0 then wanted[#wanted + 1] = {number, each} end
  end
  return wanted
end

-- Runs the commit, then the moves.
function binding.commit_bound(handler, fields, op, entry, moves)
  local record = entry.record
  local result = handler(fields, op)
  if result[1] ~= 'changed' then return result end
  local touched = binding.relocate_lines(entry, moves, fields[op + Commit.actor], 'commit')
  if binding.is_open(record) then record[Record.open][Open.bound] = true end
  return binding.with_touched(result, record, touched)
end

-- Runs the moves, then the fulfil.
function binding.fulfil_bound(handler, fields, op, entry, moves, units)
  local touched, numbers = binding.relocate_lines(entry, moves, fields[op + Commit.actor], 'fulfil')
  if #moves > 0 then fields[op + Fulfil.lines] = binding.parts_after(units, moves, numbers) end
  return binding.with_touched(handler(fields, op), entry.record, touched)
end

-- Puts numbers in the place of lines that are named otherwise. Returns false where it will be refused.
function binding.put_numbers(record, tag, fields, op)
  local wanted, counter, waiting = fields[op + Commit.lines], Line.committed, nil
  if #wanted == 0 then return true end
  if tag == 'commit' then
    local is_held = total(record, Line.held) + total(record, Line.waiting) > 0
    counter, waiting = is_held and Line.held or Line.expired, is_held and Line.waiting or nil
  end
  local expanded = channel_lines.expand(record, wanted, function(line)
    return line[counter] + (waiting and line[waiting] or 0)
  end)
  if expanded then fields[op + Commit.lines] = expanded end
  return expanded ~= nil
end

-- Runs the commit or fulfil at op and the moves that belong to it. Returns its answer.
function binding.bound(handler, tag, fields, at, op)
  -- Commit and Fulfil have reservation_id, actor and lines in the same places.
  local entry = reservations[fields[op + Commit.reservation_id]]
  if not record_of(entry) then return handler(fields, op) end
  expire_if_due(entry)
  if not binding.put_numbers(entry.record, tag, fields, op) then return handler(fields, op) end
  local open, units = binding.open_lines(entry.record, tag, fields, op)
  if not open then return handler(fields, op) end
  local moves, refusal = binding.plan_moves(entry.record, open, fields, at, tag == 'fulfil')
  if refusal then return refusal end
  if tag == 'commit' then return binding.commit_bound(handler, fields, op, entry, moves) end
  return binding.fulfil_bound(handler, fields, op, entry, moves, units)
end

-- The place of the commit or fulfil behind a bind.
function binding.op_at(fields, at)
  return at + BIND_AT.chunks + fields[at + BIND_AT.chunk_count]
end

order_notes.bound_at = binding.op_at

function binding.bind_lines(fields, at)
  local op = binding.op_at(fields, at)
  local tag = fields[op]
  local function handler() return binding.bound(operations[tag], tag, fields, at, op) end
  return answer(handler, fields, op, SHAPES[tag]), op + SHAPES[tag].length
end

composite('bind', {prefetch = binding.op_at, run = binding.bind_lines})
