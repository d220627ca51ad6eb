-- The shapes of an answer, as operations return them; server/domain/answers.py decodes them.
--
--   ["refused", outcome, state or "", lines]        lines: [[line, sku, location, requested, available], …], in units;
--                                                   for out_of_range also the counter, see lib/range.lua; for a line
--                                                   that is not there also 'line', '' and how many lines there are
--   ["changed", replayed, record, availability]     record: lib/reservations.lua; availability: [[sku, location,
--                                                   available, seq], …]
--   ["stock_changed", replayed, level]              level: lib/stock.lua
--   ["batch_noted", replayed]                       see operations/note_batch.lua
--   ["retry_after_expiry"]                          more holds are due than one call expires: the ledger calls again
--   ["retry_with_weight", weight]                   it works on many lines or looks at many places: the ledger calls
--                                                   again with this weight (lines), so that it shares the call with
--                                                   fewer operations
--   ["look_in_slices", channel, wanted, is_sold]    its SKUs are known at too many places for one call: the ledger
--                                                   reads them in several, and names those that count, see
--                                                   operations/among.lua. wanted: [[sku, units], …] whose places are
--                                                   asked for; is_sold: they are booked in any case
--   ["allocation_usage_unknown"]                    see lib/allocation_change.lua

-- Places in an answer: the outcome of a refusal, the availability of a change.
local REFUSED_OUTCOME, CHANGED_AVAILABILITY = 2, 4

-- lines: as above, or nil for none.
local function refused(outcome, state, lines)
  return {'refused', outcome, state or '', lines or NONE}
end

-- The units of an entry that a channel (nil: any) is shown: what it can reserve, nothing at a closed location.
local function shown_units(entry, channel)
  local closed = places_now().closed
  if closed and (closed[entry.location] or place_rules.is_closed(entry.location)) then return 0 end
  return allocated and allocations.left(entry, channel) or entry.available
end

-- The refusal of a change at a location that another actor alone fills; or nil. lines: as refused takes them.
function place_rules.refuse_mirrored(location, actor, lines, state)
  local mirrored = places_now().mirrored
  local filler = mirrored and mirrored[place_rules.current(location)]
  if not filler or actor == filler then return nil end
  return refused('location_mirrored', state, lines)
end

-- The refusal of the lines of a reserve or order at the locations of a set, for they are closed; or nil where none is.
local function refusal_of_closed(fields, first, last, closed)
  local lines = {}
  for at = first, last, LINE_LENGTH do
    local location = fields[at + LOCATION_OF]
    if closed[place_rules.current(location)] then
      local number = (at - first) / LINE_LENGTH + 1
      lines[#lines + 1] = {number, fields[at].sku, location, fields[at + QUANTITY_OF], 0}
    end
  end
  return #lines > 0 and refused('location_closed', '', lines) or nil
end

-- The availability of the entries that an operation touched, for a channel; nil: for any channel.
local function left_of(entries, channel)
  local availability, seen = {}, {}
  for _, entry in ipairs(entries) do
    if not seen[entry] and not entry.unstocked then
      seen[entry] = true
      availability[#availability + 1] = {
        entry.sku, entry.location, shown_units(entry, channel), entry.record[Stock.seq],
      }
    end
  end
  return availability
end

-- entries: the stock entries that the operation touched. A new reservation has none: its lines hold the availability.
local function changed(record, entries)
  return {'changed', false, record, left_of(entries, record[Record.channel])}
end

local function stock_changed(entry)
  return {'stock_changed', false, stock_level(entry.sku, entry.location, entry.record)}
end
