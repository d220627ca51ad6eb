-- Whose reservation an operation may be about: what stands in front of one of a key that works on its own alone.
--
--   owned     key, channel. The operation behind it runs if the reservation was made with that key, by itself or by a
--             person who signed in with it, and is of that channel; "": whichever it is. Else the answer is the one
--             to a reservation that is not there, and nothing changed.

do

local KEY_AT, CHANNEL_AT, LENGTH = 1, 2, 3 -- places counted from the tag; and how many stand in front of the operation

local function is_made_with(key, actor)
  return key == '' or actor == key or actor:sub(1, #key + 1) == key .. '/'
end

local function is_of(channel, record)
  return channel == '' or record[Record.channel] == channel
end

local function run_owned(fields, at)
  local start = at + LENGTH
  local own = order_notes.operation_at(fields, start)
  local entry = reservations[fields[own + SHAPES[fields[own]].reservation_id]]
  if entry == nil then return pack(work.wait()), order_notes.following(fields, start) end -- it was not read
  local record = record_of(entry)
  local is_there = record and is_made_with(fields[at + KEY_AT], record[Record.actor])
    and is_of(fields[at + CHANNEL_AT], record)
  if is_there then return work.run_at(fields, start) end
  return pack(refused('unknown_reservation')), order_notes.following(fields, start)
end

composite('owned', {prefetch = function(_, at) return at + LENGTH end, run = run_owned})

end
