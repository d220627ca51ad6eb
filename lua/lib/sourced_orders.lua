-- source: chooses locations for those lines of the reserve or order behind it that have none.
--
-- op      [1 tag, 2 splits_max, 3 split_lines, 4 open (false, or the group within which the planned lines may still be
--          bound elsewhere), 5 is_cut (more locations may have units), 6 number of chunks, then each chunk: MessagePack
--          values name, rank, name, rank, …], then the reserve or order; lines without a location have "" in its place
-- Effect  the locations are put into those lines, and the reserve or order runs as if its caller had named them
-- Answers those of the reserve or order · location_closed · unknown_sku · out_of_stock · too_many_splits
--         · too_many_lines · sourcing_incomplete · retry_after_expiry
--
-- How locations are chosen: lib/sourcing.lua. prefetch replaces splits_max by the source made of these fields.

do

-- Places of the fields, counted from the tag.
local SOURCE_AT = {splits_max = 1, split_lines = 2, open = 3, is_cut = 4, chunk_count = 5, chunks = 6}
local MADE_AT = SOURCE_AT.splits_max

-- The place of the reserve or order behind a source.
function sourcing.reservation_at(fields, at)
  return at + SOURCE_AT.chunks + fields[at + SOURCE_AT.chunk_count]
end

-- The number of the line at a place, counted from 1; first: place of the first line.
local function number_of(line, first)
  return (line - first) / LINE_LENGTH + 1
end

-- The wants of the lines without a location, and whether other lines name theirs.
local function wants_of(fields, first, last)
  local wants, by_sku, has_named = {}, {}, false
  for line = first, last, LINE_LENGTH do
    if fields[line + LOCATION_OF] == '' then
      local sku = aliases.name_of(fields[line])
      sourcing.add_want(wants, by_sku, sku, fields[line + QUANTITY_OF], number_of(line, first))
    else
      has_named = true
    end
  end
  return wants, has_named
end

-- Registers the records that the first chunk needs. Returns the place of the reserve or order.
function sourcing.prefetch(fields, at)
  local order_at = sourcing.reservation_at(fields, at)
  local wants, has_named = wants_of(fields, order_at + LINES_AT, last_line(fields, order_at))
  local source = sourcing.new(
    wants, fields[order_at + Reserve.channel], fields[at + SOURCE_AT.splits_max], fields[at + SOURCE_AT.split_lines],
    fields, at + SOURCE_AT.chunks
  )
  source.has_named, source.is_cut = has_named, fields[at + SOURCE_AT.is_cut]
  if source.chunks[1] then sourcing.unpack_chunk(source, 1) end
  fields[at + MADE_AT] = source
  return order_at
end

-- Whether the units are sold already, so that they are booked in any case.
local function accepts_shortage(fields, order_at)
  return fields[order_at] == 'order' and fields[order_at + Order.accept_shortage]
end

-- Claims the units of lines that name their location, so that they are not planned a second time. sign: -1 undoes it.
local function claim_named(fields, first, last, sign)
  for line = first, last, LINE_LENGTH do
    if fields[line + LOCATION_OF] ~= '' then
      fields[line].claimed = max(0, fields[line].claimed + sign * fields[line + QUANTITY_OF])
    end
  end
end

-- Calls find(source) while the units of lines that name their location are claimed; returns its results.
local function with_named_claimed(source, fields, first, last, find)
  if not source.has_named then return find(source) end
  claim_named(fields, first, last, 1)
  local found, ranked = find(source)
  claim_named(fields, first, last, -1)
  return found, ranked
end

-- Chooses for the lines without a location. Returns SKU -> parts, or nil where there are none; else nil, the refusal
-- and all candidates in their order. choose: sourcing.choose or sourcing.choose_or_expire.
local function choose_for(source, fields, order_at, first, last, choose)
  local closed = place_rules.closed_to(accepts_shortage(fields, order_at))
  local refusal = closed and refusal_of_closed(fields, first, last, closed)
  if refusal then return nil, refusal end
  if #source.wants == 0 then return nil end
  if sourcing.is_empty(source) then return nil, refusal_of_closed(fields, first, last, {[''] = true}) end
  local chosen, ranked = with_named_claimed(source, fields, first, last, choose)
  if chosen then return sourcing.parts_by_sku(source, chosen, sourcing.has_all) end
  return nil, sourcing.refusal(source, '', ''), ranked
end

-- A source without the wants that are unknown at all candidates and count in no bucket, or nil where there are none.
local function without_unstocked(source, fields, at, order_at)
  local unknown, first, last = {}, order_at + LINES_AT, last_line(fields, order_at)
  for _, want in ipairs(source.wants) do unknown[want.sku] = not want.known end
  if not unstocked.take_out(fields, first, last, accepts_shortage(fields, order_at), unknown) then return nil end
  local wants, by_sku = {}, {}
  for line = first, last, LINE_LENGTH do
    if fields[line + LOCATION_OF] == '' then
      sourcing.add_want(wants, by_sku, fields[line].sku, fields[line + QUANTITY_OF], number_of(line, first))
    end
  end
  local lesser = sourcing.new(
    wants, source.channel, source.splits_max, source.split_lines, fields, at + SOURCE_AT.chunks
  )
  lesser.has_named = source.has_named
  return lesser
end

-- As choose_for. Where SKUs are unknown that count in no bucket, it chooses for the others. Returns the source as well.
local function choose_stocked(source, fields, at, order_at, first, last, choose)
  local by_sku, refusal, ranked = choose_for(source, fields, order_at, first, last, choose)
  if not refusal or refusal[REFUSED_OUTCOME] ~= 'unknown_sku' then return source, by_sku, refusal, ranked end
  local lesser = without_unstocked(source, fields, at, order_at)
  if not lesser then return source, nil, refusal, ranked end
  return lesser, choose_for(lesser, fields, order_at, first, last, choose)
end

-- Distributes the parts among the lines without a location, in order: calls use(line, stock entry, units) for each.
local function distribute(fields, first, last, by_sku, use)
  for line = first, last, LINE_LENGTH do
    if fields[line + LOCATION_OF] == '' then
      local parts, missing = by_sku[fields[line].sku], fields[line + QUANTITY_OF]
      repeat
        local part = parts[1]
        local units = min(missing, part.units)
        missing, part.units = missing - units, part.units - units
        if part.units == 0 then table.remove(parts, 1) end
        use(line, part.entry, units)
      until missing == 0
    end
  end
end

-- Puts the locations into the lines. The further parts of split lines become lines behind all others, so that those
-- keep their numbers. fields has no room for them: the operation is then returned in a table of its own, else nil.
local function assign(fields, order_at, first, last, by_sku)
  local more = {}
  distribute(fields, first, last, by_sku, function(line, entry, units)
    if fields[line + LOCATION_OF] == '' then
      fields[line], fields[line + LOCATION_OF], fields[line + QUANTITY_OF] = entry, entry.location, units
    else
      local n = #more
      more[n + 1], more[n + 2], more[n + 3] = entry, entry.location, units
    end
  end)
  if #more == 0 then return nil end
  local longer = {}
  for i = order_at, last + LINE_LENGTH - 1 do longer[#longer + 1] = fields[i] end
  for i = 1, #more do longer[#longer + 1] = more[i] end
  longer[1 + Reserve.line_count] = fields[order_at + Reserve.line_count] + #more / LINE_LENGTH
  return longer
end

-- The numbers of the lines without a location.
local function planned_numbers(fields, first, last)
  local numbers = {}
  for line = first, last, LINE_LENGTH do
    if fields[line + LOCATION_OF] == '' then numbers[#numbers + 1] = number_of(line, first) end
  end
  return numbers
end

-- Puts the choice into the lines. Where they stay open, their numbers (with the further parts of split lines) go into
-- the new record. Returns what assign returns, or nil and the refusal.
local function apply_choice(fields, at, order_at, first, last, by_sku)
  local open = fields[at + SOURCE_AT.open]
  local numbers = open and planned_numbers(fields, first, last)
  local longer = assign(fields, order_at, first, last, by_sku)
  if longer and longer[1 + Reserve.line_count] > RECORD_LINES_MAX then return nil, refused('too_many_lines') end
  if numbers then
    for number = fields[order_at + Reserve.line_count] + 1, longer and longer[1 + Reserve.line_count] or 0 do
      numbers[#numbers + 1] = number
    end
    record_extras = record_extras or {}
    record_extras.open = {open, numbers, false}
  end
  return longer
end

local function is_known_at(candidate, i)
  return candidate.entries[i].record
end

-- SKU -> parts: all that is there at any of the candidates, wherever it must be taken from.
local function parts_of_all(source, ranked)
  for _, candidate in ipairs(ranked) do
    candidate.left = {}
    for i, entry in ipairs(candidate.entries) do
      local left = entry.record and reservable(entry, source.channel) or 0
      candidate.left[i] = min(max(0, left), source.wants[i].units)
    end
  end
  return sourcing.parts_by_sku(source, ranked, sourcing.has_all)
end

-- Adds to the parts of a want what is missing, at one place: where a candidate is `main` and knows the SKU, there; else
-- at the first one that knows it.
local function add_missing(parts, ranked, i, missing)
  local home, at_home = nil, nil
  for _, candidate in ipairs(ranked) do
    local entry = candidate.entries[i]
    if entry.record and (not home or entry.location == DEFAULT_LOCATION) then home = entry end
  end
  for _, part in ipairs(parts) do
    missing = missing - part.units
    if part.entry == home then at_home = part end
  end
  if missing == 0 then return end
  if not at_home then
    at_home = {entry = home, units = 0}
    parts[#parts + 1] = at_home
  end
  at_home.units = at_home.units + missing
end

-- The parts of an order that accepts a shortage, for units that no choice of candidates has: all that is there, and the
-- rest is booked as short. nil: it is refused nevertheless.
local function parts_when_short(source, fields, order_at, refusal, ranked)
  if not accepts_shortage(fields, order_at) or not ranked then return nil end
  if refusal[REFUSED_OUTCOME] == 'unknown_sku' or refusal[1] ~= 'refused' then return nil end
  local by_sku = with_named_claimed(
    source, fields, order_at + LINES_AT, last_line(fields, order_at), function() return parts_of_all(source, ranked) end
  )
  local lines = fields[order_at + Reserve.line_count]
  for i, want in ipairs(source.wants) do
    add_missing(by_sku[want.sku], ranked, i, want.units)
    lines = lines + #by_sku[want.sku] - 1
  end
  if lines <= RECORD_LINES_MAX then return by_sku end
  return sourcing.parts_by_sku(source, ranked, is_known_at) -- not all that is there, but the order is not lost
end

-- Chooses locations for a reserve or order. Returns the operation in a table of its own where lines were split, else
-- nil; then the refusal, if there is one. A repeated request is not planned: it gets the original answer.
function sourcing.plan(fields, at)
  local order_at = sourcing.reservation_at(fields, at)
  local known = fields[order_at + Reserve.fingerprint] ~= '' and reservations[fields[order_at + Reserve.reservation_id]]
  if known and record_of(known) then return nil, nil end
  local source, first, last = fields[at + MADE_AT], order_at + LINES_AT, last_line(fields, order_at)
  local by_sku, refusal, ranked
  source, by_sku, refusal, ranked =
    choose_stocked(source, fields, at, order_at, first, last, sourcing.choose_or_expire)
  if refusal then
    by_sku = parts_when_short(source, fields, order_at, refusal, ranked)
    -- What is sold already is booked without a plan, where no candidate knows its SKUs or is open.
    local is_kept = accepts_shortage(fields, order_at) and refusal[1] == 'refused'
    if not by_sku and not is_kept then return nil, refusal end
  end
  if not by_sku then return nil, nil end
  return apply_choice(fields, at, order_at, first, last, by_sku)
end

-- The units of each want that the order's channel can reserve at a candidate.
local function units_at(source, candidate)
  local units = {}
  for i, entry in ipairs(candidate.entries) do units[i] = entry.record and reservable(entry, source.channel) or 0 end
  return units
end

-- For all candidates, in their order: {{name, {units of each want}}, …}.
local function units_at_all(source)
  local found = {}
  for i, candidate in ipairs(sourcing.ranked(source)) do found[i] = {candidate.name, units_at(source, candidate)} end
  return found
end

-- The same choice for functions/explain_sourcing.lua, without any change. Returns the refusal or nil; the parts of the
-- planned lines {{line, location, units}, …}; the wants {{sku, units}, …}; and the candidates, as in units_at_all.
function sourcing.explain(fields, at)
  local order_at = sourcing.reservation_at(fields, at)
  local source, first, last = fields[at + MADE_AT], order_at + LINES_AT, last_line(fields, order_at)
  local by_sku, refusal
  source, by_sku, refusal = choose_stocked(source, fields, at, order_at, first, last, sourcing.choose)
  local parts, wants = {}, {}
  if by_sku then
    distribute(fields, first, last, by_sku, function(line, entry, units)
      parts[#parts + 1] = {number_of(line, first), entry.location, units}
    end)
  end
  for i, want in ipairs(source.wants) do wants[i] = {want.sku, want.units} end
  return refusal, parts, wants, with_named_claimed(source, fields, first, last, units_at_all)
end

end
