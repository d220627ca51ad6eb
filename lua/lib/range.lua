-- Counters stay in their range: no bucket and no available goes beyond UNITS_MAX units, whatever its sign. Numbers of
-- Lua are exact up to 2^53, nine times as far, so a sum of all buckets still is. An operation asks before its first
-- change. A counter that is beyond (an older release let it) may come back, but not go further.
--
-- Who asks, and why the others need not (e: on_hand - held - committed, which is never less than available):
--   receive, return, arrive, receive_expected   ask: they add to on_hand, and to damaged or quality_control
--   adjust, count, move                         ask: a bucket may grow, or available fall
--   order and edit with accept_shortage, map_lines
--                                               ask, when they have their places: they take units that are not there
--   allocate_move                               asks: the taker's units grow
--   reserve, order, edit, late commit, relocate, bind, fills of backorders, safety rules, ship
--                                               take at most available: after them available is not below zero, so all
--                                               that is subtracted from on_hand is at most on_hand
--   commit, release, cancel, expiry             move units between buckets or give them back: available <= on_hand
--   fulfil                                      on_hand falls, and e stays: on_hand >= e >= available
--   backorder, allocate, expect, forgo          set what one request may say, 10^9; waiting is at most that limit
--   exchange                                    its halves ask; a refused second half restores what was before

local range = {}

do

local UNITS_MAX, SHORT_MAX = 1e15, 1e9
local PLACES_OF_SKU_MAX = 10000 -- of a SKU; a chain of 5,000 stores has as many again for what it keeps apart
local NO_RECORD = {0, 0, 0, 0, 0, 0, 0}
local BUCKET_NAMES = {
  [Stock.on_hand] = 'on_hand', [Stock.held] = 'held', [Stock.committed] = 'committed', [Stock.damaged] = 'damaged',
  [Stock.quality_control] = 'quality_control', [Stock.safety] = 'safety',
}

-- Whether a counter would go out of its range, or further out of it.
local function leaves(units, delta)
  return delta > 0 and units + delta > UNITS_MAX or delta < 0 and units + delta < -UNITS_MAX
end

-- The bucket that deltas take out of its range ("available" for what they leave), and what it is before; or nil.
local function bucket_that_leaves(record, deltas)
  for bucket = Stock.on_hand, Stock.safety do
    if leaves(record[bucket], deltas[bucket]) then return BUCKET_NAMES[bucket], record[bucket] end
  end
  local before, delta = available(record), available(deltas)
  if leaves(before, delta) then return 'available', before end
  return nil
end

-- Whether a SKU is at so many places that it may not become known at that of the entry, which has no record.
function range.is_full(entry)
  local known = packed_lists.length(call('HGET', SKUS, entry.sku))
  if known + #changed_stock < PLACES_OF_SKU_MAX then return false end
  for i = 1, #changed_stock do
    if changed_stock[i].is_new and changed_stock[i].sku == entry.sku then known = known + 1 end
  end
  return known >= PLACES_OF_SKU_MAX
end

-- The refusal of changes that take a counter out of its range, or nil. changes: {{entry, deltas (as change_buckets
-- takes them), units (that the operation names), number (of the line, or nil: 1)}, …}; those of one entry add up.
-- In the refusal, `available` of a line is how many units the counter has room for. A SKU has a limit, too, of places
-- where it is known: only a new one is asked about.
function range.refusal(changes, state)
  local sums, lines = {}, nil
  for _, change in ipairs(changes) do
    local entry, sum = change.entry, sums[change.entry] or {0, 0, 0, 0, 0, 0}
    if not entry.record and range.is_full(entry) then
      return refused('too_many_places', state or '', {{change.number or 1, entry.sku, entry.location, change.units, 0}})
    end
    for bucket = Stock.on_hand, Stock.safety do sum[bucket] = sum[bucket] + change.deltas[bucket] end
    sums[entry] = sum
    local name, before = bucket_that_leaves(entry.record or NO_RECORD, sum)
    if name then
      lines = lines or {}
      lines[#lines + 1] = {
        change.number or 1, entry.sku, entry.location, change.units, max(0, UNITS_MAX - math.abs(before)), name,
      }
    end
  end
  return lines and refused('out_of_range', state or '', lines) or nil
end

-- The same for one change of one entry.
function range.refuse(entry, deltas, units)
  return range.refusal({{entry = entry, deltas = deltas, units = units}})
end

-- The refusal of an order that takes units which are not there, or nil: a place may be short of SHORT_MAX units, safety
-- stock left out. lines: {{entry, units (that are to be taken), number (of the request, or nil: its place)}, …}; those
-- of one entry add up.
function range.refuse_short(lines, state)
  local taken, refusals = {}, nil
  for place, line in ipairs(lines) do
    local entry, record = line.entry, line.entry.record
    local room = record[Stock.on_hand] - record[Stock.damaged] - record[Stock.quality_control] - record[Stock.held]
      - record[Stock.committed] + SHORT_MAX
    room = max(0, min(room, UNITS_MAX - record[Stock.committed], UNITS_MAX + entry.available) - (taken[entry] or 0))
    if line.units > room and not entry.unstocked then
      refusals = refusals or {}
      refusals[#refusals + 1] = {line.number or place, entry.sku, entry.location, line.units, room, 'shortage'}
    end
    taken[entry] = (taken[entry] or 0) + line.units
  end
  return refusals and refused('out_of_range', state or '', refusals) or nil
end

-- Whether the units of an allocation stay within the range.
function range.fits(units)
  return units <= UNITS_MAX
end

end
