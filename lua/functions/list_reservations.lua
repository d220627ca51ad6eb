-- list_reservations: looks through a slice of the reservations and returns those that match. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] MessagePack [ended, cursor, count, skus, wanted, unmapped, channel]
--         ended     whether to look among the ended ones
--         cursor    "0" at first
--         count     how many to look at, roughly; fewer where they have many lines
--         skus      only those with a line of one of them: all the names of a SKU; none: all reservations
--         wanted    {place in a record -> the value required there}
--         unmapped  whether only those with a line that waits for a SKU, see lib/unstocked.lua
--         channel   only those of this channel, or whose channel may be another spelling of it; "": of any
-- Reply [now_ms, next cursor ("0" at the end), id, record in MessagePack, id, record, …]
--
-- Filtering here keeps the others off the wire.

local function has_line(record, names)
  for _, line in ipairs(record[Record.lines]) do
    if names[line[Line.sku]] then return true end
  end
  return false
end

local function has_unmapped_line(record)
  for _, line in ipairs(record[Record.lines]) do
    if unstocked.is_unmapped(line) and line[Line.owed] > 0 then return true end
  end
  return false
end

local function has_fields(record, wanted)
  for place, value in pairs(wanted) do
    if record[place] ~= value then return false end
  end
  return true
end

-- Whether a channel may have been stored in a form that would be changed today: with blanks around it, with letters in
-- several pieces, with what cannot be seen, or as a spreadsheet writes it. The caller decides: it has the tables.
local function may_be_old(channel)
  return channel:find('[\194\204-\244]') or channel:find('^[ =]') or channel:find(' $')
    or channel:find('[.,]0+$')
end

local function is_of_channel(record, channel)
  local name = record[Record.channel]
  return channel == '' or name == channel or may_be_old(name) ~= nil
end

local function list_reservations(args)
  local ended, cursor, count, skus, wanted, unmapped, channel = unpack(unpack_msg(args[2]))
  local is_any, names = next(wanted) == nil and #skus == 0 and not unmapped and channel == '', {}
  for _, sku in ipairs(skus) do names[sku] = true end
  return looking.scan(ended and ENDED or RESERVATIONS, cursor, count, function(_, packed_record)
    if is_any then return true end
    if #skus > 0 and not looking.may_name(packed_record, skus) then return false end
    local record = unpack_record(packed_record)
    return has_fields(record, wanted) and is_of_channel(record, channel) and (#skus == 0 or has_line(record, names))
      and (not unmapped or has_unmapped_line(record))
  end)
end

register('list_reservations', list_reservations, {'no-writes'})
