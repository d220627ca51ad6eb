-- What is left where a cancel or release came before its reservation: a tombstone, which the reservation meets.
--
-- It is an ended reservation without lines, so the look-up of its id that every reserve makes finds it. No other has no
-- lines. The one that meets it takes its place: ended as well, with lines of no units, and with MET before its
-- fingerprint. So a release that does not know of tombstones refuses both the reservation and its replay as id_reused.
--
-- tombstones: made, met (ids of this call, nil: none); key (of the sorted set of ids by when they are forgotten, which
--             only counts them)

do

local TOMBSTONES_MAX = 100000 -- some 25 MB
local MET = '!'

function tombstones.is(record)
  return #record[Record.lines] == 0
end

-- Whether a reservation met a tombstone when it was made; it was and stays cancelled.
function tombstones.was_met_by(record)
  return record[Record.fingerprint]:byte() == 33 -- MET
end

-- Whether a record is of the reservation that is being made.
function tombstones.is_same(record, fingerprint)
  return record[Record.fingerprint] == fingerprint or record[Record.fingerprint] == MET .. fingerprint
end

local function are_full()
  local made = tombstones.made and #tombstones.made / 2 or 0
  return call('ZCOUNT', tombstones.key, string.format('(%.0f', NOW_MS), '+inf') + made >= TOMBSTONES_MAX
end

-- Leaves one in place of a reservation that is not known, or finds the one that is there. Returns the answer.
function tombstones.leave(entry, tag, actor, reason)
  local record = entry.record
  if not record then
    if are_full() then return refused('too_many_remembered') end
    local notes = notes_of({{'cancel_reason', reason}})
    record = {'cancelled', NOW_MS, 0, 0, 0, '', actor, '', {}, '', '', NONE, notes}
    entry.record = record
    mark_reservation(entry)
    tombstones.made = tombstones.made or {}
    push(tombstones.made, NOW_MS + LIMITS.idempotency_ms, entry.id)
    journal(tag, actor, '', entry.id, 'cancelled', NONE, notes_of({{'reason', reason}}))
  end
  return changed(record, NONE)
end

-- The lines of a new reservation, of which none gets anything; with what is available where they name a location.
local function lines_without_units(fields, first, last, channel)
  local lines = {}
  for at = first, last, LINE_LENGTH do
    local entry, location = fields[at], fields[at + LOCATION_OF]
    local is_known = location ~= '' and entry.record
    lines[#lines + 1] = {
      entry.sku, location, 0, fields[at + QUANTITY_OF], 0, 0, is_known and shown_units(entry, channel) or 0,
      is_known and entry.record[Stock.seq] or 0,
    }
  end
  return lines
end

-- Records the reservation at `at` as cancelled in place of the tombstone. Arguments as of new_reservation. Returns
-- its record, packed.
function tombstones.meet(entry, fields, at, last, ttl_ms)
  local channel = fields[at + Reserve.channel]
  local record = {
    'cancelled', NOW_MS, 0, ttl_ms, 0, channel, fields[at + Reserve.actor], MET .. fields[at + Reserve.fingerprint],
    lines_without_units(fields, at + LINES_AT, last, channel), fields[at + Reserve.order_ref],
    fields[at + Reserve.customer_ref], fields[at + Reserve.flags] or NONE, entry.record[Record.notes],
  }
  entry.record = record
  mark_reservation(entry)
  tombstones.met = tombstones.met or {}
  tombstones.met[#tombstones.met + 1] = entry.id
  local packed_record = pack(record)
  journal_reservation(fields[at], entry.id, packed_record)
  return packed_record
end

-- Counts those of this call.
function tombstones.write()
  if tombstones.made then flush('ZADD', tombstones.key, tombstones.made) end
  if tombstones.met then flush('ZREM', tombstones.key, tombstones.met) end
end

-- Stops counting those that are forgotten by now, at most so many.
function tombstones.forget(key, most)
  local ids = call('ZRANGEBYSCORE', key, 0, NOW_MS, 'LIMIT', 0, most)
  flush('ZREM', key, ids)
  return #ids
end

end
