-- list_transfers: looks through a slice of the open transfers for those that can have a line of a SKU. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] transfers: hash  id -> record of those in transit
-- ARGV  [1] limits  [2] MessagePack [cursor, count, skus]
--         cursor  "0" at first
--         count   how many to look at, roughly; fewer where they have many lines
--         skus    all the names of the SKU
-- Reply [now_ms, next cursor ("0" at the end), id, record in MessagePack, id, record, …]
--
-- Filtering here keeps the others off the wire.

local TRANSFERS = 11 -- the place of that key in KEYS

local function list_transfers(args, declared)
  local cursor, count, skus = unpack(unpack_msg(args[2]))
  return looking.scan(declared[TRANSFERS], cursor, count, function(_, packed_record)
    return looking.may_name(packed_record, skus)
  end)
end

register('list_transfers', list_transfers, {'no-writes'})
