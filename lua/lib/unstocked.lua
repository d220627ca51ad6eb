-- Lines that count in no bucket. They have no location, and no stock record is read or changed for them. Their mode:
--
--   untracked  the SKU has no stock and needs none, such as gift wrap; see functions/track.lua. Its units are held,
--              committed, fulfilled and returned like others, so that the reservation can be completed
--   unmapped   of an order that was accepted: its SKU is known nowhere. The line has what the channel wrote in place
--              of a SKU, and its units are owed, until operations/map_lines.lua gives it a SKU
--
-- Their stock entry stands in for a record, so that operations treat all lines alike: {unstocked (true), record
-- (zeros), available (0, so that a new line takes the slow path), mode (of a new line)}. lib/stock.lua does not change
-- or write it, and lib/availability_check.lua grants all units that are requested.
--
-- In the hash skus, an untracked SKU has a list without locations. The first stock record makes it a tracked one.
-- See lib/unstocked_lines.lua for new lines.

local unstocked = {}

do

unstocked.MORE_THAN_REQUESTED = 2 ^ 50 -- units, beyond all that 200 lines can request together
unstocked.FIRST_SEQ = 1 -- in place of the seq of a stock record: not 0, which marks lines that a relocation added

-- The stock entry of a line without a location.
function unstocked.entry(sku, field)
  return {
    field = field, sku = sku, location = '', record = {0, 0, 0, 0, 0, 0, 0}, available = 0, claimed = 0,
    shortage = nil, unstocked = true,
  }
end

-- Of lists that one call reads: less than a millisecond. An order whose lists are longer is at more places than one
-- call looks at: no name is longer than NAME_BYTES_MAX.
local LIST_BYTES_MAX, NAME_BYTES_MAX = 300000, 66

local function read_lists(skus)
  for i, list in ipairs(hash_get_many(SKUS, skus)) do
    local read = sku_locations[skus[i]]
    read.list, read.count = list, packed_lists.length(list)
  end
end

-- Reads of which SKUs the call does not know yet where they are known. sku_locations: SKU -> {list (packed), count,
-- names (unpacked, once they are needed)}, or false. A list for which the call has no room is not read: then list is
-- false, and count what it is at least.
local function read_locations(skus)
  local unread = {}
  sku_locations = sku_locations or {}
  for _, sku in ipairs(skus) do
    if sku_locations[sku] == nil then
      local bytes = call('HSTRLEN', SKUS, sku)
      -- A short one always has room: it may be that of an untracked SKU, which has to be known exactly.
      local has_room = bytes <= NAME_BYTES_MAX or work.list_bytes == 0 or work.list_bytes + bytes <= LIST_BYTES_MAX
      sku_locations[sku] = bytes > 0 and {list = false, count = floor(bytes / NAME_BYTES_MAX), names = nil}
      if bytes > 0 and has_room then
        unread[#unread + 1], work.list_bytes = sku, work.list_bytes + bytes
      end
    end
  end
  read_lists(unread)
end

-- Reads the lists of SKUs that were not read for want of room: an operation that is alone has room for them. Returns
-- whether there were any.
function unstocked.read_rest(skus)
  local unread = {}
  for _, sku in ipairs(skus) do
    if sku_locations[sku] and not sku_locations[sku].list then unread[#unread + 1] = sku end
  end
  read_lists(unread)
  return #unread > 0
end

-- Whether the lists of SKUs were read, see read_locations; and whether one call has room for all of them.
function unstocked.has_read(skus)
  local bytes, all = 0, true
  for _, sku in ipairs(skus) do
    local read = sku_locations[sku]
    if read then
      all = all and read.list ~= false
      bytes = bytes + (read.list and #read.list or read.count * NAME_BYTES_MAX)
    end
  end
  return all, bytes <= LIST_BYTES_MAX
end

-- Calls use(sku, location) for each SKU that is known at a location since this call, and of which it was read before.
local function each_new(use)
  for _, entry in ipairs(changed_stock) do
    if entry.is_new and sku_locations[entry.sku] ~= nil then use(entry.sku, entry.location) end
  end
end

-- At how many locations SKUs are known, also since this call: SKU -> how many, 0 for an untracked one; nil for one that
-- is known nowhere. And how many they are in all.
function unstocked.count_locations(skus)
  read_locations(skus)
  local counts, sum = {}, 0
  for _, sku in ipairs(skus) do counts[sku] = sku_locations[sku] and sku_locations[sku].count or nil end
  each_new(function(sku) counts[sku] = (counts[sku] or 0) + 1 end)
  for _, count in pairs(counts) do sum = sum + count end
  return counts, sum
end

-- Where SKUs are known, also since this call: SKU -> [location, …], empty for an untracked one; nil for one that is
-- known nowhere. The lists are not to be changed. It takes a moment for many; most callers need only their number.
function unstocked.locations_of(skus)
  read_locations(skus)
  local known, added = {}, {}
  for _, sku in ipairs(skus) do
    local read = sku_locations[sku]
    if read then
      read.names = read.names or unpack_msg(read.list)
      known[sku] = read.names
    end
  end
  each_new(function(sku, location)
    -- A list of its own, for an exchange may still undo what is new.
    if not added[sku] then
      local copied = {}
      for i, name in ipairs(known[sku] or NONE) do copied[i] = name end
      known[sku], added[sku] = copied, true
    end
    table.insert(known[sku], location)
  end)
  return known
end

-- What a line is whose SKU has so many locations, see count_locations, or nil where it is a line like others.
function unstocked.mode_of(locations, accept_shortage)
  if locations then return locations == 0 and 'untracked' or nil end
  return accept_shortage and 'unmapped' or nil
end

function unstocked.is_unmapped(line)
  return line[Line.mode] == 'unmapped'
end

-- Counts lines that become unmapped, or (negative) that are unmapped no more.
function unstocked.count(lines)
  unmapped_lines = unmapped_lines + lines
end

end
