-- allocate: gives a channel units of its own at a (SKU, location), or a cap on what it may take from the common pool; or
-- takes them back. allocate_move: gives units of one channel to another.
--
-- allocate       [1 tag, 2 fingerprint, 3 actor, 4 key, 5 sku, 6 location, 7 channel, 8 kind "own" or "cap",
--                 9 units in all (own and 0: take the allocation away), 10 reason, 11 seen_id, 12 used]
-- allocate_move  the same, but 7 from channel, 8 to channel, 9 units to move
-- Effect  the allocation is as said, the rest of it is set aside. What the channel has promised already counts as used, so
--         nothing that is promised is ever taken back.
-- Answers stock_changed · unknown_sku · exceeds_available (others may have the rest) · allocation_usage_unknown · retry_after_expiry
--         · unknown_allocation, allocation_differs, exceeds_remaining (a move only) · too_many_allocations
--
-- How much a channel without an allocation has promised here stands nowhere, and an index would be paid for by every
-- reserve. So whoever asks has counted it, as of when seen_id was the journal's last entry; what happened since is added
-- here. If nothing was counted ("") or too much happened, the answer is allocation_usage_unknown; see server/store/repositories/allocations.py.

local allocate, allocate_move

do

local ALLOCATION_KIND, ALLOCATION_UNITS, ALLOCATION_USED = allocations.KIND, allocations.UNITS, allocations.USED
local ALLOCATIONS_MAX = 32 -- channels at one (SKU, location): the record is read and written with each sale

local ENTRIES_MAX = 64 -- of the journal that are looked through for what happened since; an entry holds a batch at most

-- By how much the changes of one entry moved what a channel has promised of a stock entry.
local function promised_in(changes, entry, channel)
  local units = 0
  for _, change in ipairs(changes) do
    local is_promise = #change <= 4 -- see lib/journal.lua
    local record = is_promise and change[3]
    if (is_promise and record[CHANNEL] or change[4]) == channel then
      for _, line in ipairs(is_promise and record[LINES] or change[7]) do
        local at = is_promise and 0 or 1 -- the number of the line stands first there
        if line[at + 1] == entry.sku and line[at + 2] == entry.location then
          units = units + (is_promise and line[LINE_HELD] + line[LINE_COMMITTED] or line[5] + line[6])
        end
      end
    end
  end
  return units
end

-- The units that a channel has promised here, or nil: not known.
local function promised_by(entry, channel, seen_id, used)
  local record = entry.record
  local known = allocations.find(record, channel)
  if known then return known[ALLOCATION_USED] end
  if record[HELD] + record[COMMITTED] == 0 then return 0 end
  if seen_id == '' then return nil end
  local since = call('XRANGE', JOURNAL, '(' .. seen_id, '+', 'COUNT', ENTRIES_MAX)
  if #since == ENTRIES_MAX then return nil end
  for _, found in ipairs(since) do used = used + promised_in(unpack_msg(found[2][2]), entry, channel) end
  -- What this very call did is not in the journal yet.
  return used + promised_in(unpack_msg(array_of(change_count) .. concat(change_parts)), entry, channel)
end

-- Sets a channel's allocation; nil as kind: takes it away.
local function set_allotment(record, channel, kind, units, used)
  local list = record[ALLOCATIONS] or {}
  local _, place = allocations.find(record, channel)
  if kind then
    list[place or #list + 1] = {channel, kind, units, used}
  elseif place then
    table.remove(list, place)
  end
  record[ALLOCATIONS] = #list > 0 and list or nil
  if #list == 0 and record[BACKORDER] ~= nil then record[ALLOCATIONS] = false end -- no hole before what follows
end

-- Writes the change down: nothing moves, but what is left for whom does.
local function journal_allotment(entry, operation, actor, channel, notes)
  local journal_lines = {}
  change_buckets(entry, journal_lines, {0, 0, 0, 0, 0, 0})
  journal(operation, actor, channel, '', '', journal_lines, notes_of(notes))
end

local function is_full(record, channel)
  return not allocations.find(record, channel) and #(record[ALLOCATIONS] or NONE) >= ALLOCATIONS_MAX
end

-- By how many units more would be set aside, and how many may be; nil: how much is used is not known.
local function set_aside_by(entry, channel, kind, units, seen_id, used)
  local promised = promised_by(entry, channel, seen_id, used)
  if not promised then return nil end
  local known = allocations.find(entry.record, channel)
  local before = known and known[ALLOCATION_KIND] == 'own' and allocations.rest(known) or 0
  local after = kind == 'own' and max(0, units - promised) or 0
  return after - before, max(0, promisable(entry, nil)), promised + before
end

function allocate(fields, at)
  local actor, sku, location, channel = fields[at + 2], fields[at + 4], fields[at + 5], fields[at + 6]
  local kind, units, reason, seen_id, used = fields[at + 7], fields[at + 8], fields[at + 9], fields[at + 10], fields[at + 11]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local known = allocations.find(record, channel)
  if kind == 'own' and units == 0 then
    if not known then return stock_changed(entry) end
    set_allotment(record, channel, nil)
  else
    if known and known[ALLOCATION_KIND] == kind and known[ALLOCATION_UNITS] == units then return stock_changed(entry) end
    if is_full(record, channel) then return refused('too_many_allocations') end
    local more, free, counted = set_aside_by(entry, channel, kind, units, seen_id, used)
    if more and more > free then
      expire_due()
      more, free, counted = set_aside_by(entry, channel, kind, units, seen_id, used)
    end
    if not more then return {'allocation_usage_unknown'} end
    if more > free then
      if more_are_due then return {'retry_after_expiry'} end
      return refused('exceeds_available', '', {{1, sku, location, units, counted + free}})
    end
    set_allotment(record, channel, kind, units, promised_by(entry, channel, seen_id, used))
  end
  allocated = true
  journal_allotment(entry, 'allocate', actor, channel, {
    {'kind', kind}, {'units', string.format('%.0f', units)}, {'reason', reason},
  })
  return stock_changed(entry)
end

function allocate_move(fields, at)
  local actor, sku, location, from, to = fields[at + 2], fields[at + 4], fields[at + 5], fields[at + 6], fields[at + 7]
  local units, reason, seen_id, used = fields[at + 8], fields[at + 9], fields[at + 10], fields[at + 11]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local giving, taking = allocations.find(record, from), allocations.find(record, to)
  if not giving then return refused('unknown_allocation') end
  local kind = giving[ALLOCATION_KIND]
  if taking and taking[ALLOCATION_KIND] ~= kind then return refused('allocation_differs') end
  if allocations.rest(giving) < units then expire_due() end
  if allocations.rest(giving) < units then
    if more_are_due then return {'retry_after_expiry'} end
    return refused('exceeds_remaining', '', {{1, sku, location, units, allocations.rest(giving)}})
  end
  local promised = promised_by(entry, to, seen_id, used)
  if not promised then return {'allocation_usage_unknown'} end
  local left = giving[ALLOCATION_UNITS] - units
  if is_full(record, to) and not (kind == 'own' and left == 0) then return refused('too_many_allocations') end
  set_allotment(record, from, (kind == 'cap' or left > 0) and kind or nil, left, giving[ALLOCATION_USED])
  -- Whoever has promised more than he has gets all of the units all the same: as much stays set aside as was.
  local had = max(taking and taking[ALLOCATION_UNITS] or 0, promised)
  set_allotment(record, to, kind, had + units, promised)
  journal_allotment(entry, 'allocate_move', actor, from, {
    {'to', to}, {'units', string.format('%.0f', units)}, {'reason', reason},
  })
  return stock_changed(entry)
end

end
