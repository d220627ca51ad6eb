-- edit: changes how many units lines of a hold or order have; lines are raised, lowered, added and dropped in one step.
--
-- Fields  Edit in server/domain/operations/reservations.py; lines: [[line or 0, SKU, location or "", quantity], …]
-- Effect  An element sets the units that its lines have in all, shipped ones included: one line, those of a SKU, or
--         those of a SKU at a location. Fewer: those that they wait for first, then held and committed, of the last
--         lines first. More: held while the reservation is a hold, else committed. A named line or location has them
--         there. A SKU has them at the first of its lines whose place has all; else where an order would be taken
--         from. A line that is dropped stays with no units, so that the others keep their numbers. The deadline stays,
--         or (ttl_ms) moves as operations/extend.lua moves it. accept_shortage: of an order, as of a new one.
-- Answers changed · unknown_reservation · expired · already_released · already_committed (ttl_ms, of an order)
--         · not_held · not_committed (accept_shortage, of a hold) · exceeds_remaining (no such line) · named_twice
--         · below_shipped · nothing_left · location_closed · unknown_sku · line_unmapped · too_many_lines
--         · too_many_splits · out_of_stock · out_of_range · quota_exceeded · retry_after_expiry · retry_with_weight
--         · look_in_slices
--
-- raise: {target (see lib/line_edits.lua), entry (of the stock), number (of the line, nil: a new one), units, is_owed}

-- A chunk has room for few more locals: all functions of this file are in one.
local edits = {}

local REFUSED_LINES = 4 -- place in a refusal, see lib/answers.lua

-- The refusal of a reservation that has ended, or that is not what the fields are for; or nil.
function edits.refusal_of_state(record, ttl_ms, accept_shortage)
  local state, is_hold = record[Record.state], record[Record.deadline_ms] > 0
  if state == 'released' or state == 'expired' or state == 'cancelled' then return nothing_held(record) end
  if ttl_ms > 0 and not is_hold then return refused('already_committed', state) end
  if accept_shortage and is_hold then return refused('not_committed', state) end
  return nil
end

function edits.is_untracked(sku)
  return unstocked.count_locations({sku})[sku] == 0
end

-- Reads the stock of all targets that want more, in one command.
function edits.load_places(targets)
  for _, target in ipairs(targets) do
    if target.delta > 0 then
      want_stock(target.sku, target.is_free and DEFAULT_LOCATION or target.location)
    end
  end
  load_stock()
end

-- Whether a stock entry has all further units of a target.
function edits.has_all(entry, target, channel)
  if entry.unstocked then return edits.is_untracked(target.sku) end
  return entry.record and may_take_from(entry.location, channel) and reservable(entry, channel) >= target.delta
end

-- Where a SKU stays: the first of its lines whose place has all further units. Returns the stock entry and the number
-- of the line, or nil.
function edits.place_that_has(record, target)
  local channel = record[Record.channel]
  for _, number in ipairs(target.numbers) do
    local line = record[Record.lines][number]
    local entry = stock_entry(line[Line.sku], line[Line.location])
    if not unstocked.is_unmapped(line) and edits.has_all(entry, target, channel) then return entry, number end
  end
  return nil
end

-- Adds the raise of a target whose place is known, or the target to those that go where a new order would.
function edits.add_raise(record, target, raises, further)
  local entry, number
  if target.is_free then
    entry, number = edits.place_that_has(record, target)
  elseif #target.numbers > 0 then
    number = target.numbers[1]
    local line = record[Record.lines][number]
    entry = stock_entry(line[Line.sku], line[Line.location])
  end
  if not entry then
    target.units = target.delta
    further[#further + 1] = target
    return
  end
  local is_owed = number ~= nil and unstocked.is_unmapped(record[Record.lines][number])
  raises[#raises + 1] = {target = target, entry = entry, number = number, units = target.delta, is_owed = is_owed}
end

function edits.push_line(lines, target, entry, units)
  lines[#lines + 1] = {target.place, target.sku, entry and entry.location or target.location, units, 0}
end

-- The refusal of raises at the place of a line that has none, or a closed one; or nil.
function edits.refusal_of_places(record, raises, accept_shortage)
  local closed, closed_lines, unmapped, unknown = places_now().closed, {}, {}, {}
  for _, raise in ipairs(raises) do
    local target, entry = raise.target, raise.entry
    if entry.unstocked and not raise.is_owed and not edits.is_untracked(target.sku) then
      edits.push_line(unknown, target, entry, raise.units)
    elseif accept_shortage then -- it is sold already
    elseif raise.is_owed then edits.push_line(unmapped, target, entry, raise.units)
    elseif closed and closed[entry.location] then edits.push_line(closed_lines, target, entry, raise.units) end
  end
  local state = record[Record.state]
  if #unmapped > 0 then return refused('line_unmapped', state, unmapped) end
  if #closed_lines > 0 then return refused('location_closed', state, closed_lines) end
  if #unknown > 0 then return refused('unknown_sku', state, unknown) end
  return nil
end

-- The refusal of targets that name a location where their SKU is not, though it is elsewhere; or nil. An order that
-- accepts a shortage takes them from elsewhere, but an edit is to find them there again.
function edits.refusal_of_named(record, further)
  local skus, unknown = {}, {}
  for _, target in ipairs(further) do
    local is_missing = target.location ~= '' and not stock_entry(target.sku, target.location).record
    if is_missing then skus[#skus + 1] = target.sku end
  end
  if #skus == 0 then return nil end
  local known = unstocked.count_locations(skus)
  for _, target in ipairs(further) do
    local is_missing = target.location ~= '' and not stock_entry(target.sku, target.location).record
    if is_missing and (known[target.sku] or 0) > 0 then edits.push_line(unknown, target, nil, target.units) end
  end
  return #unknown > 0 and refused('unknown_sku', record[Record.state], unknown) or nil
end

-- Whether targets whose SKUs lie at too many places to look at can have all units at `main`, as a new order can.
function edits.may_stay(record, further, instead)
  if instead[1] ~= 'look_in_slices' then return false end
  for _, target in ipairs(further) do
    local entry = stock_entry(target.sku, target.location == '' and DEFAULT_LOCATION or target.location)
    if not edits.has_all(entry, target, record[Record.channel]) then return false end
  end
  return true
end

-- The answer of resolve_lines, about the elements of the request and the reservation.
function edits.as_answered(record, answer, further)
  if answer[1] ~= 'refused' then return answer end
  local lines = answer[REFUSED_LINES]
  for _, line in ipairs(lines) do line[LineRefusal.line] = further[line[LineRefusal.line]].place end
  return refused(answer[REFUSED_OUTCOME], record[Record.state], lines)
end

-- The number of the line of a target at a stock entry, or nil.
function edits.line_at(record, target, entry)
  for _, number in ipairs(target.numbers) do
    local line = record[Record.lines][number]
    local is_alike = not entry.unstocked or unstocked.is_unmapped(line) == (entry.mode == 'unmapped')
    local is_there = place_rules.current(line[Line.location]) == place_rules.current(entry.location)
    if is_there and is_alike then return number end -- it names the same SKU
  end
  return nil
end

-- Adds the raises of targets that go where a new order would. Returns what is answered instead, or nil.
function edits.add_further(record, further, raises, accept_shortage)
  if #further == 0 then return nil end
  local instead, made = edits.refusal_of_named(record, further), nil
  if instead then return instead end
  local fields = line_edits.as_order(record[Record.channel], accept_shortage, further)
  local last, closed = last_line(fields, 1), places_now().closed
  if closed and not accept_shortage then instead = refusal_of_closed(fields, 1 + LINES_AT, last, closed) end
  if not instead then made, instead = places_of_order.resolve_lines(fields, 1, last, accept_shortage) end
  if instead and edits.may_stay(record, further, instead) then
    made, instead = {fields = fields, at = 1, granted = {}}, nil
  end
  if instead then return edits.as_answered(record, instead, further) end
  for i, target in ipairs(further) do made.granted[i] = made.granted[i] or target.units end
  local owed = unstocked.set_owed(made.fields, made.at, made.granted, made.missing)
  for i, units in ipairs(made.granted) do
    local entry = made.fields[made.at + LINES_AT + LINE_LENGTH * (i - 1)]
    local target, owes = further[made.numbers and made.numbers[i] or i], owed and owed[i] > 0
    raises[#raises + 1] = {
      target = target, entry = entry, number = edits.line_at(record, target, entry), units = owes and owed[i] or units,
      is_owed = owes,
    }
  end
  return nil
end

-- The lines that lack units, as refused takes them, or nil. What other lines lose at a place counts there.
function edits.lines_lacking(record, raises, cuts)
  local net, lines, places = {}, {}, {}
  for number, of_line in pairs(cuts) do
    local line = record[Record.lines][number]
    local entry = stock_entry(line[Line.sku], line[Line.location])
    net[entry] = (net[entry] or 0) - (of_line[Line.held] or 0) - (of_line[Line.committed] or 0)
  end
  for _, raise in ipairs(raises) do net[raise.entry] = (net[raise.entry] or 0) + raise.units end
  for _, raise in ipairs(raises) do
    local entry, units = raise.entry, net[raise.entry]
    if units > 0 then
      lines[#lines + 1], places[#places + 1], net[entry] = {entry = entry, units = units}, raise.target.place, 0
    end
  end
  local _, short = grant(lines, record[Record.channel])
  for _, line in ipairs(short or NONE) do line[LineRefusal.line] = places[line[LineRefusal.line]] end
  return short
end

-- What is answered where the places have too few units, or nil.
function edits.refusal_of_units(record, raises, cuts, accept_shortage)
  if #raises == 0 then return nil end
  if accept_shortage then
    local taken = {}
    for i, raise in ipairs(raises) do
      taken[i] = {entry = raise.entry, units = raise.units, number = raise.target.place}
    end
    note_short()
    return range.refuse_short(taken, record[Record.state])
  end
  local short = edits.lines_lacking(record, raises, cuts)
  if short then
    expire_due()
    short = edits.lines_lacking(record, raises, cuts)
  end
  if not short then return nil end
  return more_are_due and {'retry_after_expiry'} or refused('out_of_stock', record[Record.state], short)
end

-- Returns the raises of the targets, or nil and what is answered instead.
function edits.plan(record, targets, cuts, accept_shortage)
  local raises, further = {}, {}
  edits.load_places(targets)
  for _, target in ipairs(targets) do
    if target.delta > 0 then edits.add_raise(record, target, raises, further) end
  end
  local instead = edits.refusal_of_places(record, raises, accept_shortage)
    or edits.add_further(record, further, raises, accept_shortage)
  if instead then return nil, instead end
  local count = #record[Record.lines]
  for _, raise in ipairs(raises) do count = count + (raise.number and 0 or 1) end
  if count > RECORD_LINES_MAX then return nil, refused('too_many_lines', record[Record.state]) end
  instead = relocation.take_allocations(record, raises)
    or edits.refusal_of_units(record, raises, cuts, accept_shortage)
  if instead then return nil, instead end
  return raises
end

-- Returns the raises and the cuts that a request means, or nil and what is answered instead.
function edits.read_and_plan(record, fields, at)
  local targets, cuts = line_edits.read(record, fields[at + Edit.lines])
  if not targets then return nil, cuts end
  if line_edits.units_after(record, targets) == 0 then return nil, refused('nothing_left', record[Record.state]) end
  local raises, instead = edits.plan(record, targets, cuts, fields[at + Edit.accept_shortage])
  if not raises then return nil, instead end
  local text, is_hold = fields[at + Edit.quota], record[Record.deadline_ms] > 0
  instead = text and is_hold and quotas.refusal_of_edit(text, record, line_edits.growth(record, raises, cuts))
  if instead then return nil, instead end
  return raises, cuts
end

-- The same, of what there is once it returns: holds that were ended for it may have given their units to lines that
-- wait, those of this reservation among them.
function edits.steady_plan(record, fields, at)
  local had_expired = has_expired_due
  local raises, cuts = edits.read_and_plan(record, fields, at)
  if has_expired_due ~= had_expired then raises, cuts = edits.read_and_plan(record, fields, at) end
  return raises, cuts
end

function edits.edit(fields, at)
  local actor, id = fields[at + Edit.actor], fields[at + Edit.reservation_id]
  local ttl_ms, accept_shortage = fields[at + Edit.ttl_ms], fields[at + Edit.accept_shortage]
  local entry = reservations[id]
  local record = record_of(entry) -- also where this batch has made the reservation
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local instead = edits.refusal_of_state(record, ttl_ms, accept_shortage)
  if instead then return instead end
  local raises, cuts = edits.steady_plan(record, fields, at)
  if not raises then return cuts end
  if #raises == 0 and not next(cuts) and ttl_ms == 0 then return changed(record, NONE) end
  local is_hold, journal_lines, entries, notes = record[Record.deadline_ms] > 0, {}, {}, {}
  if ttl_ms > 0 then
    move_deadline(record, ttl_ms, fields[at + Edit.life_max_ms])
    notes[1] = {'deadline_ms', tostring(record[Record.deadline_ms])}
  end
  line_edits.apply_cuts(entry, cuts, journal_lines, entries)
  for _, raise in ipairs(raises) do
    line_edits.apply_raise(record, raise, is_hold, journal_lines)
    entries[#entries + 1] = raise.entry
  end
  derive_state(entry, record[Record.state], journal_lines)
  journal('edit', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('edit', edits.edit)
