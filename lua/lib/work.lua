-- How much one call does. The sender of an operation does not know how many lines its reservation has, so a batch may
-- be many times what it seemed. What is beyond the limits is not read and not run: the operation is answered so that
-- the ledger sends it again with the weight that it has, see retry_with_weight in lib/answers.lua. The first operation
-- of a call that works on an existing reservation always runs, so one that is alone in a call does.
--
-- An operation that has to wait waits with all later ones of its reservation in the call: the work done only grows, and
-- so does a record.
--
-- work: new_place (the stock entry that got a record since the last change in the journal, or nil), among (which places
--       the order that runs is taken from, {names, elsewhere}, or nil: any; see operations/among.lua), searched
--       (candidates examined in searches, see lib/sourcing_search.lua), names (of places unpacked, see
--       lib/place_names.lua), list_bytes (of lists of places, see lib/unstocked.lua)

do

-- Some 2 to 5 ms, whatever is done with them, and the lines of holds that a call ends where it runs operations, too.
local LINES_MAX, ENDED_BESIDE_MAX = 200, 100
-- Lines that orders of one call become beside their own, where their units come from many places.
local PARTS_MAX = 60
-- Of records, or of answers that are to be repeated: less than a millisecond.
local BYTES_MAX = 500000
-- Records that are read at a time, and where the first ones were small.
work.AT_A_TIME = 16
local SMALL_AT_A_TIME, SMALL_BYTES = 48, 16384
-- Short records, which find room beyond the limit as well.
local SHORT_BYTES, SHORT_LINES, SHORT_LINES_MAX = 512, 8, 300

local lines_done -- those that operations of this call have worked on

function work.begin()
  lines_done, work.searched, work.names, work.list_bytes, work.among, work.new_place = 0, 0, 0, 0, nil, nil
end

-- Calls load(first, last, lines_left) for some of n fields at a time, until there is enough for one call. load returns
-- the bytes and lines that it has read. Returns the place of the last field that was read.
function work.read(n, lines_max, load)
  local first, size, bytes, lines = 1, work.AT_A_TIME, 0, 0
  while first <= n and bytes <= BYTES_MAX and lines < lines_max do
    local last = min(n, first + size - 1)
    local more_bytes, more_lines = load(first, last, lines_max - lines)
    bytes, lines = bytes + more_bytes, lines + more_lines
    size = more_bytes <= SMALL_BYTES and SMALL_AT_A_TIME or work.AT_A_TIME
    first = last + 1
  end
  return first - 1
end

-- Whether a record of so many bytes is read also where enough lines were: short ones need not wait for long ones.
function work.is_short(bytes)
  return bytes <= SHORT_BYTES
end

function work.lines_max()
  return LINES_MAX
end

function work.ended_beside_max()
  return ENDED_BESIDE_MAX
end

-- How many lines the reservations have that were read, on average.
local function typical_lines()
  local lines, records = 0, 0
  for _, entry in pairs(reservations) do
    if entry.record then lines, records = lines + #entry.record[Record.lines], records + 1 end
  end
  return records > 0 and -floor(-lines / records) or 1
end

-- The answer of an operation that has to wait for another call. lines: what it works on, or nil where that was not
-- read: then it is taken to be like those that were.
function work.wait(lines)
  return {'retry_with_weight', max(1, lines or typical_lines())}
end

-- Counts lines of an operation, and returns nil; or the answer where the call has no room for them. most: lines that a
-- call may have with them. weight: what the operation is to be sent with then. own: lines of it that were counted.
local function take_lines(lines, most, weight, own)
  if not is_alone and lines_done > own and lines_done + lines > most then return work.wait(weight) end
  lines_done = lines_done + lines
  return nil
end

-- Counts the lines that an order may become beside its own, and returns nil; or the answer where the call has no room
-- for them. weight: what the order is to be sent with then.
function work.take_parts(lines, weight)
  if lines == 0 then return nil end
  if not is_alone and lines_done + lines > PARTS_MAX then return work.wait(weight) end
  lines_done = lines_done + lines
  return nil
end

-- Counts the allocations at places that an operation works on, as lines; its sender has counted its lines. Returns nil,
-- or the answer where the call has no room for them. entries: of the places. own: lines of it that take has counted.
function work.take_allocations(entries, own)
  local lines = 0
  for i = 1, #entries do lines = lines + allocations.weight(entries[i]) end
  return lines > 0 and take_lines(lines, LINES_MAX, #entries + lines, own or 0) or nil
end

-- The allocations at the places of a reservation's lines, as lines.
local function allocations_of(record)
  local lines, count = record[Record.lines], 0
  for i = 1, #lines do
    local entry = aliases.entry_at(lines[i][Line.sku] .. '\0' .. lines[i][Line.location])
    count = count + (entry and allocations.weight(entry) or 0)
  end
  return count
end

-- The lines of a reservation, the allocations at their places included.
function work.lines_of(record)
  return #record[Record.lines] + allocations_of(record)
end

-- Counts the lines of an operation on a reservation or transfer, and returns nil; or the answer where the call has no
-- room for it. entry: of the reservation or transfer, nil: it was not read. lines_at: where its record
-- has the lines.
function work.take(entry, lines_at)
  if not entry then return work.wait() end
  local lines = entry.record and #entry.record[lines_at] or 0
  local most = lines <= SHORT_LINES and SHORT_LINES_MAX or LINES_MAX
  if allocated and lines > 0 and lines_at == Record.lines then lines = lines + allocations_of(entry.record) end
  return take_lines(lines, most, lines, 0)
end

end
