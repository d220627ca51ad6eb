-- The backorder queue: which lines may wait for units, in which order, and that units which arrive go to them first.
--
-- The rule of a (SKU, location) is the ninth value of its stock record:
--   [mode ("preorder": no units have been there yet; "backorder": they are sold out), limit (units that lines may wait
--    for), promise_on ("2026-12-01", or "" for no day), waiting (units that lines wait for now)]
-- Units that lines wait for are in no bucket, and available disregards them. A line counts them as waiting (they will
-- be held) or as owed (they will be committed).
--
-- The queue has one member per line that waits: sku \0 location \0 class \0 seq \0 line \0 id
--   class  0: the reservation is flagged vip, 1: it is not
--   seq    of the reservation's first change, 16 digits: the older, the smaller. line: its number, 3 digits
-- All members have the same score, so they are sorted by their bytes: by SKU, location, class and age.
--
-- backorder_queue (nil until the call needs it):
--   todo            stock entries that changed and may have units for lines that wait; pending: entry -> it is in todo
--   lines_left      lines that this call may still fill
--   added, added_at all new members; entry -> its new members
--   removed         member -> true: it no longer waits
--   filling         fill is running, or is suspended by pause
--   paused          units that become available are kept back, see pause; backlog_before: backlog as it was then
--   backlog         units are available that lines wait for

do

local FILL_MAX = 60 -- lines that one call fills: some 3 ms
-- As long as to fill a line takes: to look in so many lines of its record, to write one of so many, to read members.
local LINES_LOOKED_AT, LINES_OF_RECORD, MEMBERS_READ = 100, 20, 30
-- Bytes of line and id in what follows SKU and location in a member: "1 \0 seq \0 line \0 id".
local NUMBER_FROM, NUMBER_TO, ID_FROM = 20, 22, 24

local function queue_state()
  if not backorder_queue then
    backorder_queue = {
      todo = {}, pending = {}, lines_left = FILL_MAX, added_at = {}, added = {}, removed = {}, filling = false,
      backlog = false, paused = false, backlog_before = false,
    }
  end
  return backorder_queue
end

-- Whether there are units for lines that wait; those set aside for channels are not for them.
local function is_fillable(entry)
  local backorder = entry.record[Stock.backorder]
  if not backorder or backorder[Backorder.waiting] == 0 then return false end
  return (allocated and allocations.common(entry) or entry.available) > 0
end

-- Notes that a stock record was read which has units for lines that wait: an earlier call had no room to fill them.
function backorders.note_read(entry)
  if BACKORDERS and is_fillable(entry) then queue_state().backlog = true end
end

-- Notes that a stock entry changes: there may be units for lines that wait.
function backorders.note_change(entry)
  if not BACKORDERS or entry.record[Stock.backorder][Backorder.waiting] == 0 then return end
  local state = queue_state()
  if state.pending[entry] then return end
  state.pending[entry] = true
  if state.paused then state.backlog = true end
  state.todo[#state.todo + 1] = entry
end

-- Sets the rule of a stock entry. With neither a limit nor units that lines wait for, it is removed.
function backorders.set(entry, mode, limit, promise_on, waiting)
  local record = entry.record
  if limit > 0 or waiting ~= 0 then
    record[Stock.allocations] = record[Stock.allocations] or false
    record[Stock.backorder] = {mode, limit, promise_on, waiting}
  else
    record[Stock.backorder] = nil
    if record[Stock.allocations] == false then record[Stock.allocations] = nil end
  end
end

-- Adds to the units that lines wait for; units is signed.
local function add_waiting(entry, units)
  local now = entry.record[Stock.backorder] or {'backorder', 0, '', 0} -- in the order of the rule above
  local waiting = now[Backorder.waiting] + units
  backorders.set(entry, now[Backorder.mode], now[Backorder.limit], now[Backorder.promise_on], waiting)
end

local function is_vip(flags)
  for _, flag in ipairs(flags) do
    if flag == 'vip' then return true end
  end
  return false
end

-- The member of the queue for a line: its number in the reservation with that id and those flags.
local function member_of(line, id, number, flags)
  return line[Line.sku] .. '\0' .. line[Line.location] .. '\0' .. (is_vip(flags) and '0' or '1')
    .. string.format('\0%016.0f\0%03d\0', line[Line.first_seq], number) .. id
end

-- The units that each line lacks, or nil where one of them may not wait. lines, granted, channel: see
-- lib/availability_check.lua. A cap bounds what is requested in all, the units to wait for included.
function backorders.missing(lines, granted, channel)
  local missing, asked = {}, {}
  for i, line in ipairs(lines) do
    local entry, units = line.entry, line.units - granted[i]
    missing[i] = units
    if units > 0 then
      local backorder = entry.record[Stock.backorder]
      asked[entry] = (asked[entry] or 0) + units
      if not backorder or backorder[Backorder.waiting] + asked[entry] > backorder[Backorder.limit] then return nil end
    end
  end
  if allocated and allocations.is_capped(lines, channel) then return nil end
  return missing
end

-- Sets the fields behind the first eight of a line that waits or has no location.
function backorders.set_waiting(line, is_order, units, mode, promise_on)
  for counter = Line.fulfilled, Line.returned do line[counter] = 0 end
  line[Line.waiting], line[Line.owed] = is_order and 0 or units, is_order and units or 0
  line[Line.first_waiting] = units
  line[Line.mode], line[Line.promise_on] = mode, promise_on
end

-- Adds a line of a new reservation to the queue. number: of the line in the reservation with that id and those flags.
function backorders.enqueue(entry, line, id, number, flags, units, is_order)
  local backorder, state = entry.record[Stock.backorder], queue_state()
  backorders.set_waiting(line, is_order, units, backorder[Backorder.mode], backorder[Backorder.promise_on])
  add_waiting(entry, units)
  local member, joined = member_of(line, id, number, flags), state.added_at[entry] or {}
  joined[#joined + 1] = member
  state.added_at[entry] = joined
  state.added[#state.added + 1] = member
end

-- Changes the units that a line waits for, also in the last journal line, which is its own. d_waiting, d_owed: signed.
function backorders.change(entry, journal_lines, reservation, number, d_waiting, d_owed)
  local record = reservation.record
  local line, journal_line = record[Record.lines][number], journal_lines[#journal_lines]
  line[Line.waiting], line[Line.owed] = (line[Line.waiting] or 0) + d_waiting, (line[Line.owed] or 0) + d_owed
  if entry.unstocked then
    if line[Line.owed] == 0 then unstocked.count(-1) end
    return
  end
  journal_line[ChangeLine.d_waiting], journal_line[ChangeLine.d_owed] = d_waiting, d_owed
  add_waiting(entry, d_waiting + d_owed)
  if line[Line.waiting] + line[Line.owed] == 0 then
    queue_state().removed[member_of(line, reservation.id, number, record[Record.flags])] = true
  end
end

-- Adds the members of a stock record in the store, under one of the names that it has had.
local function add_members(queue, field)
  local from, first, last = #field + 2, '[' .. field .. '\0', '(' .. field .. '\1'
  for _, member in ipairs(call('ZRANGEBYLEX', BACKORDERS, first, last, 'LIMIT', 0, FILL_MAX)) do
    queue[#queue + 1] = {member = member, rest = member:sub(from)}
  end
end

-- Returns the queue of a stock entry, in order: its members in the store and those that this call has added. And for
-- each member {number (of its line), id (of its reservation)}.
local function queue_of(entry)
  local found, queue, names = {}, {}, {}
  local locations = place_rules.names_of(entry.location)
  for _, sku in ipairs(aliases.names_of(entry.sku)) do
    for _, location in ipairs(locations) do add_members(found, sku .. '\0' .. location) end
  end
  -- Where the store has more members than were read, new ones are left out: they come after those.
  if #found < FILL_MAX then
    for _, member in ipairs(backorder_queue.added_at[entry] or NONE) do
      found[#found + 1] = {member = member, rest = member:match('^%Z*%z%Z*%z(.*)$')}
    end
  end
  table.sort(found, function(a, b) return a.rest < b.rest end)
  for i = 1, min(#found, FILL_MAX) do
    local member, rest = found[i].member, found[i].rest
    queue[i], names[i] = member, {number = tonumber(rest:sub(NUMBER_FROM, NUMBER_TO)), id = rest:sub(ID_FROM)}
  end
  return queue, names
end

-- Reads the reservations of the next members of the queue, from the first on, at most `most` of them.
local function load_next(names, first, most)
  local unread, seen = {}, {}
  for i = first, min(#names, first + most - 1) do
    local id = names[i].id
    if not reservations[id] and not seen[id] then
      seen[id] = true
      unread[#unread + 1] = id
    end
  end
  if #unread > 0 then load_reservations(unread, work.lines_max()) end
end

-- Counts how much is done to fill a line of a record: as many lines filled as take so long.
local function count_filled(reservation)
  local lines = #reservation.record[Record.lines]
  local filled = 1 + floor(lines / LINES_LOOKED_AT)
  if not reservation.changed then filled = filled + floor(lines / LINES_OF_RECORD) end
  backorder_queue.lines_left = backorder_queue.lines_left - filled
end

-- Fills one line as far as there are units. Returns false where it does not wait for any.
local function fill_line(entry, reservation, number)
  local record = record_of(reservation)
  local line = record and record[Record.lines][number]
  if not line or not aliases.are_of(entry, line[Line.sku], line[Line.location]) then return false end
  if expire_if_due(reservation) then return true end
  local waiting, owed = line[Line.waiting] or 0, line[Line.owed] or 0
  local left = allocated and allocations.left_for_backorder(entry, record[Record.channel]) or entry.available
  local units = min(left, waiting + owed)
  if units <= 0 then return false end
  count_filled(reservation)
  local committed, journal_lines = min(units, owed), {}
  local held = units - committed
  move(entry, journal_lines, number, held, committed, 0, record[Record.channel])
  line[Line.held], line[Line.committed] = line[Line.held] + held, line[Line.committed] + committed
  backorders.change(entry, journal_lines, reservation, number, -held, -committed)
  derive_state(reservation, record[Record.state], journal_lines)
  journal('backorder_fill', 'system', record[Record.channel], reservation.id, record[Record.state], journal_lines, NONE)
  return true
end

-- Fills the lines that wait at a stock entry, in order, until the units or lines_left run out.
local function fill_entry(entry)
  local queue, names, at = nil, nil, 1
  while is_fillable(entry) do
    if backorder_queue.lines_left <= 0 then
      backorder_queue.backlog = true
      return
    end
    if not queue then
      queue, names = queue_of(entry)
      backorder_queue.lines_left = backorder_queue.lines_left - floor(#names / MEMBERS_READ)
    end
    local member = queue[at]
    if not member then return end
    if backorder_queue.removed[member] then
      at = at + 1
    else
      local number, id = names[at].number, names[at].id
      if not reservations[id] then load_next(names, at, max(1, min(entry.available, backorder_queue.lines_left))) end
      -- A member without a line that waits is removed: left there, it would block the members behind it.
      if not fill_line(entry, reservations[id], number) then backorder_queue.removed[member] = true end
    end
  end
end

-- Keeps back units that become available, because the return of an exchange may have to be undone. Until resume, no
-- line of another reservation gets them.
function backorders.pause()
  queue_state().filling = true
  backorder_queue.paused, backorder_queue.backlog_before = true, backorder_queue.backlog
end

-- Fills lines with the units that were kept back.
function backorders.resume()
  backorder_queue.filling, backorder_queue.paused = false, false
  backorder_queue.backlog = backorder_queue.backlog_before
  backorders.fill()
end

-- Fills lines with the units that became available in this operation. That can expire holds and so append to todo.
function backorders.fill()
  if backorder_queue.filling then return end
  backorder_queue.filling = true
  local todo, at = backorder_queue.todo, 1
  while todo[at] do
    backorder_queue.pending[todo[at]] = nil
    fill_entry(todo[at])
    at = at + 1
  end
  backorder_queue.todo, backorder_queue.filling = {}, false
end

-- Fills lines at one stock entry. Returns the number of lines filled.
function backorders.fill_stock_entry(entry)
  if not entry.record or not is_fillable(entry) then return 0 end
  local left = queue_state().lines_left
  backorders.note_change(entry)
  backorders.fill()
  return left - backorder_queue.lines_left
end

-- The SKU and location of the first member behind a name (a member or the beginning of one), or nil.
function backorders.next_after(name)
  local member = call('ZRANGEBYLEX', BACKORDERS, name == '' and '-' or '(' .. name, '+', 'LIMIT', 0, 1)[1]
  if not member then return nil end
  return member:match('^(%Z+)%z(%Z+)%z')
end

-- Writes the changes of the queue.
function backorders.write()
  local added, gone = {}, {}
  for _, member in ipairs(backorder_queue.added) do
    if not backorder_queue.removed[member] then push(added, 0, member) end
  end
  for member in pairs(backorder_queue.removed) do gone[#gone + 1] = member end
  flush('ZREM', BACKORDERS, gone)
  flush('ZADD', BACKORDERS, added)
  -- Maintenance then calls fill_backorders. last_seq is greater than any value before, so the mark is a new one.
  if backorder_queue.backlog and last_seq then call('HSET', META, 'unfilled', last_seq) end
end

end
