-- Lines as a channel wrote them, by its key: a pack or bundle stands in the record as lines of its components.
--
-- channel line: [key, quantity, [[number of a line, units in each piece], …], behind, cancelled, returned]
--               behind: how many lines the request had. What was split or moved from them stands behind those.
--
-- A piece is cancelled or returned once: cancelled + returned <= quantity, beside the counters of the lines themselves.
-- A release counts as cancelled. What is committed or shipped by a key only has the counters of the lines.
--
-- In a request a text stands in the place of a line's number: a key, or behind "\0", which no key can hold, a SKU.

local channel_lines = {}

do

-- Means that no line is open, to this release and the last one.
local NO_OPEN_LINES = {'', NONE, true}

-- The channel lines of a new record, and the value that stands before them where no line is open; both nil without any.
function channel_lines.of_new(fields, at, open)
  local lines = fields[at + Reserve.channel_lines]
  if not lines then return open, nil end
  return open or NO_OPEN_LINES, lines
end

-- The same for a record that has values behind them: an array has no hole.
function channel_lines.without_hole(open, lines)
  return open or NO_OPEN_LINES, lines or NONE
end

-- The channel lines of a record as they were at first.
function channel_lines.at_first(record)
  local first = {}
  for i, line in ipairs(record[Record.channel_lines]) do
    first[i] = {unpack(line)}
    first[i][ChannelLine.cancelled], first[i][ChannelLine.returned] = 0, 0
  end
  return first
end

local function pieces_left(line)
  return line[ChannelLine.quantity] - line[ChannelLine.cancelled] - line[ChannelLine.returned]
end

-- The SKU that stands in the place of a line, or nil: it is a number or a key.
local function sku_of(name)
  return type(name) == 'string' and name:byte() == 0 and name:sub(2) or nil
end

-- Asks what the SKUs of the lines and of a request are called now: what was moved after a rename has the new name.
local function ask_names(record, wanted)
  local skus = {}
  for i, line in ipairs(record[Record.lines]) do skus[i] = line[Line.sku] end
  for _, want in ipairs(wanted) do skus[#skus + 1] = sku_of(want[LineQuantity.line]) end
  aliases.ask(skus)
end

local function are_of_one_sku(line, other)
  return line[Line.sku] == other[Line.sku] or aliases.name_of(line[Line.sku]) == aliases.name_of(other[Line.sku])
end

-- Calls use(number) for each line that has units of a part: its own, then those that were split or moved from it.
local function each_line_of(record, line, part, use)
  local lines, own = record[Record.lines], part[ChannelPart.line]
  use(own)
  for number = line[ChannelLine.behind] + 1, #lines do
    if number ~= own and are_of_one_sku(lines[number], lines[own]) then use(number) end
  end
end

-- The units of each part of a channel line that its own line has, and those that further lines of its SKU have: the
-- parts of one SKU share them, and lines that were mapped can be of one. SKU -> {further, parts = {{units, own}, …}}
local function units_there(record, line, left_of, taken)
  local lines, by_sku = record[Record.lines], {}
  local function there(number) return max(0, left_of(lines[number]) - (taken[number] or 0)) end
  for _, part in ipairs(line[ChannelLine.parts]) do
    local own = part[ChannelPart.line]
    local sku = aliases.name_of(lines[own][Line.sku])
    by_sku[sku] = by_sku[sku] or {further = 0, parts = {}}
    table.insert(by_sku[sku].parts, {part[ChannelPart.units], there(own)})
  end
  for number = line[ChannelLine.behind] + 1, #lines do
    local of_sku = by_sku[aliases.name_of(lines[number][Line.sku])]
    if of_sku then of_sku.further = of_sku.further + there(number) end
  end
  return by_sku
end

local function are_there(by_sku, pieces)
  for _, of_sku in pairs(by_sku) do
    local needed = 0
    for _, part in ipairs(of_sku.parts) do needed = needed + max(0, pieces * part[1] - part[2]) end
    if needed > of_sku.further then return false end
  end
  return true
end

-- How many pieces of a line are there, of `most` at most. taken: line number -> units that others take.
local function pieces_there(record, line, most, left_of, taken)
  local by_sku, fewest = units_there(record, line, left_of, taken), 0
  if are_there(by_sku, most) then return most end
  while most - fewest > 1 do
    local pieces = floor((fewest + most) / 2)
    if are_there(by_sku, pieces) then fewest = pieces else most = pieces end
  end
  return fewest
end

-- Adds the parts of some pieces, which are there, to `parts`: {number, units}, ….
local function take(record, line, pieces, left_of, taken, parts)
  for _, part in ipairs(line[ChannelLine.parts]) do
    local missing = pieces * part[ChannelPart.units]
    each_line_of(record, line, part, function(number)
      local units = min(missing, left_of(record[Record.lines][number]) - (taken[number] or 0))
      if units > 0 then
        taken[number], missing = (taken[number] or 0) + units, missing - units
        parts[#parts + 1] = {number, units}
      end
    end)
  end
end

-- Adds the parts of the pieces of a key to `parts`, and what is used of channel lines to `used`. Returns how many
-- pieces there are too few of.
local function take_key(record, key, pieces, left_of, taken, parts, used)
  for _, line in ipairs(record[Record.channel_lines] or NONE) do
    local most = line[ChannelLine.key] == key and min(pieces, pieces_left(line) - (used[line] or 0)) or 0
    local units = most > 0 and pieces_there(record, line, most, left_of, taken) or 0
    if units > 0 then
      take(record, line, units, left_of, taken, parts)
      used[line], pieces = (used[line] or 0) + units, pieces - units
    end
  end
  return pieces
end

-- The numbers of the lines of each SKU, as it is called now. Those that stand for no piece come first: a unit that is
-- scanned leaves the bundles of the order whole, as long as it can.
local function numbers_by_sku(record)
  local are_parts, by_sku = {}, {}
  for _, line in ipairs(record[Record.channel_lines] or NONE) do
    for _, part in ipairs(line[ChannelLine.parts]) do are_parts[part[ChannelPart.line]] = true end
  end
  for _, is_part in ipairs({false, true}) do
    for number, line in ipairs(record[Record.lines]) do
      if (are_parts[number] or false) == is_part then
        local sku = aliases.name_of(line[Line.sku])
        by_sku[sku] = by_sku[sku] or {}
        table.insert(by_sku[sku], number)
      end
    end
  end
  return by_sku
end

-- Adds the parts of some units of a SKU to `parts`. Returns how many units there are too few of.
local function take_units(record, numbers, units, left_of, taken, parts)
  for _, number in ipairs(numbers or NONE) do
    local there = min(units, left_of(record[Record.lines][number]) - (taken[number] or 0))
    if there > 0 then
      taken[number], units = (taken[number] or 0) + there, units - there
      parts[#parts + 1] = {number, there}
    end
  end
  return units
end

-- Adds the parts of what is named to `expanded`, or its refusal to `excess`.
local function add_named(want, missing, parts, expanded, excess)
  local name, quantity = want[LineQuantity.line], want[LineQuantity.quantity]
  if missing > 0 then excess[#excess + 1] = {0, sku_of(name) or name, '', quantity, quantity - missing} end
  for _, part in ipairs(parts) do
    expanded[#expanded + 1] = {part[1], part[2], unpack(want, LineQuantity.quantity + 1)}
  end
end

-- Puts lines in the place of those that name a channel's key or a SKU. Keys come before SKUs, whose units are
-- anywhere.
--   wanted   [[line, key or SKU, quantity, …], …]; the values behind the quantity are kept
--   left_of  function(line): the units of it that can be taken
-- Returns them, and what is used of channel lines. Or nil and the lines as refused takes them: one that names a key or
-- a SKU has the number 0, and the name in place of the SKU.
function channel_lines.expand(record, wanted, left_of)
  local taken, expanded, used, excess, by_sku = {}, {}, {}, {}, nil
  for _, want in ipairs(wanted) do
    local number = want[LineQuantity.line]
    if type(number) == 'number' then
      taken[number] = (taken[number] or 0) + want[LineQuantity.quantity]
      expanded[#expanded + 1] = want
    end
  end
  if #expanded == #wanted then return wanted, used end
  ask_names(record, wanted)
  for _, want in ipairs(wanted) do
    local name, parts = want[LineQuantity.line], {}
    if type(name) == 'string' and not sku_of(name) then
      local missing = take_key(record, name, want[LineQuantity.quantity], left_of, taken, parts, used)
      add_named(want, missing, parts, expanded, excess)
    end
  end
  for _, want in ipairs(wanted) do
    local sku, parts = sku_of(want[LineQuantity.line]), {}
    if sku then
      by_sku = by_sku or numbers_by_sku(record)
      local numbers, units = by_sku[aliases.name_of(sku)], want[LineQuantity.quantity]
      local missing = take_units(record, numbers, units, left_of, taken, parts)
      add_named(want, missing, parts, expanded, excess)
    end
  end
  if #excess > 0 then return nil, excess end
  return expanded, used
end

-- As select_parts, of lines that are named by anything; and what is used of channel lines behind what that returns.
function channel_lines.select_parts(record, wanted, counter, waiting)
  if #wanted == 0 then return select_parts(record, wanted, counter, nil, waiting), nil, NONE end
  local expanded, used = channel_lines.expand(record, wanted, function(line)
    return line[counter] + (waiting and line[waiting] or 0)
  end)
  if not expanded then return nil, used end
  local parts, excess = select_parts(record, expanded, counter, nil, waiting)
  return parts, excess, used
end

-- The lines of a key that wait for their SKU, as refused takes them.
function channel_lines.unmapped_of(record, key)
  local unmapped = {}
  for _, written in ipairs(record[Record.channel_lines] or NONE) do
    for _, part in ipairs(written[ChannelLine.key] == key and written[ChannelLine.parts] or NONE) do
      local line = record[Record.lines][part[ChannelPart.line]]
      local owed = line[Line.owed] or 0
      if unstocked.is_unmapped(line) and owed > 0 then
        unmapped[#unmapped + 1] = {part[ChannelPart.line], line[Line.sku], '', owed, 0}
      end
    end
  end
  return unmapped
end

local function not_returned(line)
  return line[Line.fulfilled] - line[Line.returned]
end

-- The parts of a return, as channel_lines.expand gives them.
function channel_lines.expand_return(record, wanted)
  return channel_lines.expand(record, wanted, not_returned)
end

-- The pieces of each channel line that were returned.
function channel_lines.returned_pieces(record)
  local pieces = {}
  for i, line in ipairs(record[Record.channel_lines] or NONE) do pieces[i] = line[ChannelLine.returned] end
  return pieces
end

-- Sets them to what they were.
function channel_lines.restore_returned(record, pieces)
  for i, count in ipairs(pieces) do record[Record.channel_lines][i][ChannelLine.returned] = count end
end

-- Counts the pieces that are used up. used: channel line -> pieces; counter: ChannelLine.cancelled or .returned.
function channel_lines.count(used, counter)
  for line, pieces in pairs(used) do line[counter] = line[counter] + pieces end
end

end

-- The refusal of an operation on committed or shipped units, for lines that were not there: some of them may be
-- unmapped, and so have neither. lines: as refused takes them.
local function exceeds_remaining(record, lines)
  local unmapped, of_record = {}, record[Record.lines]
  for _, refusal in ipairs(lines) do
    local number = refusal[LineRefusal.line]
    local line = of_record[number]
    if line and unstocked.is_unmapped(line) then unmapped[#unmapped + 1] = refusal end
    for _, each in ipairs(number == 0 and channel_lines.unmapped_of(record, refusal[LineRefusal.sku]) or NONE) do
      unmapped[#unmapped + 1] = each
    end
  end
  if #unmapped > 0 then return refused('line_unmapped', record[Record.state], unmapped) end
  return refused('exceeds_remaining', record[Record.state], lines)
end
