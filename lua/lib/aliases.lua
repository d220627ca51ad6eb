-- Old names: a SKU or location that was renamed is found under each name that it ever had.
--
-- The hash aliases holds, always flat (an old name leads to the newest one):
--   old SKU       the SKU that it is now
--   "\0" SKU      MessagePack [old SKU, …]: the names that it had before
-- The field renames of the hash meta, from the first rename on, is MessagePack {new SKU -> [old SKU, where to go on in
-- its list of places]}: those of which places still lie under the old name.
-- Reservations, transfers, receipts and the backorder queue keep the words that they were made with.
--
-- A stock record is looked for under other names only where it is missing, so a call that finds all of its records asks
-- for none. Where a SKU has so many places that they move in slices, whoever changes one that lies under the old name
-- moves it first.
--
-- A location that was renamed is found likewise: its names stand in the hash meta, see lib/places.lua. While its SKUs
-- move, one at a time in every call of functions/rename_location.lua, others work on a record where it lies.
--
-- of a call: aliases.lies_at (nil, or field -> {field, sku, location} where it is now), sku_of (SKU -> what it is now,
-- false: the same), moved (stock entries that came from an old name, in the field came_from), is_writing (the function
-- may write), may_move (places may move now: nothing has changed yet)

do

local NOTHING_RENAMED = {moving = NONE, left = NONE, is_moving = false}
local PARTITIONS_KEPT_MAX = 1000 -- then all are dropped: many partitions must not fill the memory
local kept, kept_count = {}, 0 -- what was unpacked, by the name of the partition's hash meta

-- old -> new, of {new -> [old, …]}.
local function left_names(moving)
  local left = {}
  for new, state in pairs(moving) do left[state[1]] = new end
  return left
end

-- Unpacks what was renamed, unless it is as in the call before. packed: the field, or false.
function aliases.read(packed)
  if not packed then return nil end
  local of = kept[META]
  if of and of.packed == packed then return of end
  local moving = unpack_msg(packed)
  if not of then
    if kept_count == PARTITIONS_KEPT_MAX then kept, kept_count = {}, 0 end
    kept_count = kept_count + 1
  end
  of = {packed = packed, moving = moving, left = left_names(moving), is_moving = next(moving) ~= nil}
  kept[META] = of
  return of
end

-- Whether nothing of a partition is on its way to another name, as far as a call before has left it known. packed: the
-- field of its meta. For lib/short_way.lua, which runs before anything is read.
function aliases.is_settled(meta, packed)
  local of = kept[meta]
  return of ~= nil and of.packed == packed and not of.is_moving
end

-- What was renamed in the partition, or nil.
function aliases.known()
  if not places then load_partition() end
  return aliases.renames
end

-- Whether places are moving to a new name now.
function aliases.are_moving()
  local of = aliases.known()
  return of ~= nil and of.is_moving
end

-- Writes what was renamed, for the functions that rename.
function aliases.set(moving)
  local packed = pack(moving)
  call('HSET', META, 'renames', packed)
  aliases.renames = aliases.read(packed)
end

-- Learns what SKUs are called now, of those that the call does not know yet.
local function learn(skus)
  aliases.sku_of = aliases.sku_of or {}
  local of, unknown = aliases.sku_of, {}
  for i = 1, #skus do
    if of[skus[i]] == nil then
      of[skus[i]] = false
      unknown[#unknown + 1] = skus[i]
    end
  end
  for i, name in ipairs(hash_get_many(aliases.key, unknown)) do of[unknown[i]] = name end
end

-- What a SKU is called now, as far as the call has asked.
function aliases.name_of(sku)
  return aliases.sku_of and aliases.sku_of[sku] or sku
end

-- Asks what SKUs are called now, in one command.
function aliases.ask(skus)
  if aliases.known() then learn(skus) end
end

-- The same; it asks. For a SKU that was not found.
function aliases.current(sku)
  if not aliases.known() then return sku end
  learn({sku})
  return aliases.name_of(sku)
end

-- The names that a SKU has had, the newest first.
function aliases.names_of(sku)
  local names = {sku}
  if not aliases.known() then return names end
  local former = call('HGET', aliases.key, '\0' .. sku)
  for _, name in ipairs(former and unpack_msg(former) or NONE) do names[#names + 1] = name end
  return names
end

-- Whether a SKU, however it was called, and a location are those of a stock entry.
function aliases.are_of(entry, sku, location)
  local is_there = location == entry.location or place_rules.current(location) == place_rules.current(entry.location)
  if not is_there then return false end
  return sku == entry.sku or aliases.current(sku) == aliases.current(entry.sku)
end

-- The entries that a call keeps that wants all of them anew: those that it has moved.
function aliases.kept_entries()
  local entries = {}
  for _, entry in ipairs(aliases.moved or NONE) do entries[entry.field] = entry end
  return entries
end

-- Replaces entries that were wanted before their records were read: of those that lie under another name.
function aliases.renew(entries)
  if not aliases.lies_at then return end
  for i = 1, #entries do entries[i] = want_stock(entries[i].sku, entries[i].location) end
end

-- The entry that this call has for a field of the hash stock, or nil.
function aliases.entry_at(field)
  local entry, lies_at = stock[field], aliases.lies_at
  while not entry and lies_at and lies_at[field] do
    field = lies_at[field][1]
    entry = stock[field]
  end
  return entry
end

-- From now on in this call, the field of an entry leads to another one.
local function lead(entry, sku, location)
  aliases.lies_at = aliases.lies_at or {}
  aliases.lies_at[entry.field] = {sku .. '\0' .. location, sku, location}
  stock[entry.field] = nil
  want_stock(sku, location)
end

-- A line of the journal: the units of a record leave a name (sign -1), or are found under it from now on (1).
local function line_of(sku, location, record, sign, left, seq)
  local line, backorder, list = {0, sku, location}, record[Stock.backorder], record[Stock.allocations]
  for bucket = Stock.on_hand, Stock.safety do line[#line + 1] = sign * record[bucket] end
  line[#line + 1], line[#line + 2] = left, seq
  local waiting = backorder and backorder[Backorder.waiting] or 0
  if waiting > 0 or list then line[ChangeLine.d_waiting], line[ChangeLine.d_owed] = sign * waiting, 0 end
  if list and sign > 0 then line[ChangeLine.allocations] = list end
  return line
end

-- Takes over the record that lies under an old name, of the SKU or of the location. Adds to the journal lines.
local function take_over(entry, old_sku, old_location, packed_record, journal_lines)
  set_records({entry}, {packed_record})
  entry.came_from = old_sku .. '\0' .. old_location
  aliases.mark_changed(entry)
  local record, at = entry.record, #journal_lines
  journal_lines[at + 1] = line_of(old_sku, old_location, record, -1, 0, aliases.next_seq(record))
  journal_lines[at + 2] = line_of(entry.sku, entry.location, record, 1, entry.available, aliases.next_seq(record))
  aliases.moved = aliases.moved or {}
  table.insert(aliases.moved, entry)
end

-- Moves the places of entries here that lie under the old name of their SKU. late: {{entry, old SKU, location}, …}
local function move_here(late)
  local fields, journal_lines = {}, {}
  for i, each in ipairs(late) do fields[i] = each[2] .. '\0' .. each[3] end
  for i, packed_record in ipairs(hash_get_many(STOCK, fields)) do
    if packed_record then take_over(late[i][1], late[i][2], late[i][3], packed_record, journal_lines) end
  end
  if #journal_lines > 0 then journal('renamed', 'system', '', '', '', journal_lines, NONE) end
end

-- Leads entries to where they still lie, where nothing may move. Returns whether any was led. late: as above
local function lead_back(late)
  local fields, again = {}, false
  for i, each in ipairs(late) do fields[i] = each[2] .. '\0' .. each[3] end
  for i, found in ipairs(hash_get_many(STOCK, fields)) do
    if found then
      lead(unpack(late[i]))
      again = true
    end
  end
  return again
end

-- Moves a record from a location to what that is called now. Returns its entry. For functions/rename_location.lua.
function aliases.move_place(sku, old_location, location, packed_record, journal_lines)
  local entry = want_stock(sku, location)
  unread_stock[#unread_stock] = nil
  take_over(entry, sku, old_location, packed_record, journal_lines)
  return entry
end

-- Whether a record that is missing may lie under another name.
function aliases.may_lie_elsewhere()
  return aliases.known() ~= nil or places.names ~= nil
end

-- Looks under other names for the entries that have no record. Returns whether any is led to another field: then it is
-- to be wanted, and read, anew.
function aliases.find(entries)
  if not aliases.may_lie_elsewhere() then return false end
  local of, asked, late, again = aliases.renames or NOTHING_RENAMED, {}, {}, false
  for i = 1, #entries do
    if not entries[i].record and aliases.renames then asked[#asked + 1] = entries[i].sku end
  end
  learn(asked)
  for i = 1, #entries do
    local entry = entries[i]
    local sku, location, is_here = entry.sku, entry.location, entry.record ~= nil
    -- One that lies under a name that its SKU is leaving: whoever changes it moves it first.
    local name = is_here and (aliases.may_move and of.left[sku] or sku) or aliases.name_of(sku)
    local now = is_here and location or place_rules.current(location)
    if name ~= sku or now ~= location then
      lead(entry, name, now)
      again = true
    elseif not is_here and of.moving[name] then late[#late + 1] = {entry, of.moving[name][1], location}
    elseif not is_here and places.moving and places.moving[location] then
      late[#late + 1] = {entry, name, places.moving[location]}
    end
  end
  if #late == 0 then return again end
  if not (aliases.may_move and of.is_moving) then return lead_back(late) or again end
  move_here(late)
  return again
end

-- Where else a record can lie: {field, …}. Of SKUs and locations, only one kind moves at a time.
local function other_fields(sku, location)
  local of, name, now = aliases.renames or NOTHING_RENAMED, aliases.name_of(sku), place_rules.current(location)
  local fields = {name .. '\0' .. now}
  if of.moving[name] then fields[2] = of.moving[name][1] .. '\0' .. now
  elseif places.moving and places.moving[now] then fields[2] = name .. '\0' .. places.moving[now] end
  return fields
end

-- Reads records for those who change none, packed or false: what is missing is looked for under all names.
function aliases.records(fields)
  local records, lost, skus, places_lost = hash_get_many(STOCK, fields), {}, {}, {}
  for i = 1, #fields do
    if not records[i] then
      if not aliases.may_lie_elsewhere() then return records end
      local n = #lost + 1
      lost[n] = i
      skus[n], places_lost[n] = fields[i]:match('^(%Z*)%z(.*)$')
    end
  end
  if #lost == 0 then return records end
  aliases.ask(skus)
  local elsewhere, at = {}, {}
  for n = 1, #lost do
    for _, field in ipairs(other_fields(skus[n], places_lost[n])) do
      elsewhere[#elsewhere + 1], at[#at + 1] = field, lost[n]
    end
  end
  for i, found in ipairs(hash_get_many(STOCK, elsewhere)) do records[at[i]] = records[at[i]] or found end
  return records
end

-- Writes what came from old names: they are left. Called before the entries are written under the new ones.
function aliases.write()
  local fields, short, zeros, logs, logged = {}, {}, {}, {}, {}
  for i, entry in ipairs(aliases.moved) do
    fields[i] = entry.came_from
    if entry.shortage > 0 then short[#short + 1], zeros[#zeros + 1] = entry.came_from, 0 end
  end
  flush('HDEL', STOCK, fields)
  for _, mark in ipairs({'', '\0'}) do -- the changes of on_hand, and the last count
    local before = {}
    for i = 1, #fields do before[i] = mark .. fields[i] end
    for i, log in ipairs(hash_get_many(ON_HAND_LOG, before)) do
      if log then
        push(logs, mark .. aliases.moved[i].field, log)
        logged[#logged + 1] = before[i]
      end
    end
  end
  flush('HSET', ON_HAND_LOG, logs)
  flush('HDEL', ON_HAND_LOG, logged)
  if #short > 0 then lacking.set(short, zeros) end
end

end
