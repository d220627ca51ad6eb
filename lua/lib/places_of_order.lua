-- Which places the lines of a reserve or order without a location are taken from, where not simply from `main`: that is
-- closed, not for the channel, does not know the SKU or has too few units of it; or units are short anywhere.
--
-- Places are those that know the SKU, are open, and are among those that the channel is limited to. A channel is shown
-- the sum of what it can reserve at them, a shortage at one of them subtracted, so an order gets no more than that sum.
-- All lines come from one place where one has all of it: `main` before others, else the one with most units. Otherwise
-- each SKU comes from the places with most units first. Lines that name a location have their units first. What others
-- fill (mirrored, see lib/places.lua) comes last: an order takes it only as far as our own places have too little.
--
-- order: {fields, at, first (place of its first line), channel, count (of lines), wants, granted (units of each line
--        that names a location, by number), accept_shortage (it is sold already), takes_less (it is made also where
--        units are missing)}
-- want:  {sku, units, lines (numbers), all (places that know the SKU), names (those among them that may be taken from),
--        fields (of the hash stock), elsewhere (units at places that were not named, or nil), left (units at each of
--        the names, negative: a shortage), net (their sum, at least 0), parts, missing (units without a part)}
-- part:  {entry (stock entry), units}

local places_of_order = {
  WEIGHT_ALONE = 1000000, -- a weight that shares a call with no other operation
  -- Places that one operation looks at in a call of its own: some 3 ms, for the order itself may take 4. Beyond that,
  -- they are read in slices.
  LOOK_ALONE_MAX = 1500,
}

do

-- Places that operations of one call look at together: some 2 ms. Beyond that, an operation is answered so that the
-- ledger sends it by itself.
local LOOK_MAX, LOOK_ALONE_MAX = 1200, places_of_order.LOOK_ALONE_MAX
-- So many places take as long as one line.
local PLACES_PER_LINE = 6
-- So many places take as long as to end a hold.
local PLACES_PER_HOLD = 10

-- Whether place a of a want comes before place b: more units, then `main`, then by name.
function places_of_order.comes_before(want, a, b)
  local left, names = want.left, want.names
  if left[a] ~= left[b] then return left[a] > left[b] end
  if names[a] == DEFAULT_LOCATION or names[b] == DEFAULT_LOCATION then return names[a] == DEFAULT_LOCATION end
  return names[a] < names[b]
end

-- The order's wants: the units of each SKU whose lines name no location.
function places_of_order.read(fields, at, accept_shortage)
  local order = {
    fields = fields, at = at, first = at + LINES_AT, channel = fields[at + Reserve.channel],
    count = fields[at + Reserve.line_count], wants = {}, granted = {},
    accept_shortage = accept_shortage, takes_less = accept_shortage or fields[at + Reserve.partial] ~= false,
  }
  local by_sku, wants = {}, order.wants
  for number = 1, order.count do
    local line = order.first + LINE_LENGTH * (number - 1)
    if fields[line + LOCATION_OF] == '' then
      local sku = fields[line].sku
      local want = by_sku[sku]
      if not want then
        want = {sku = sku, units = 0, lines = {}, all = NONE, names = {}, fields = {}, left = {}, net = 0}
        by_sku[sku], wants[#wants + 1] = want, want
      end
      want.units = want.units + fields[line + QUANTITY_OF]
      want.lines[#want.lines + 1] = number
    end
  end
  return order
end

-- Calls use(number, entry, units) for each line that names a location.
function places_of_order.each_named(order, use)
  local fields = order.fields
  for number = 1, order.count do
    local line = order.first + LINE_LENGTH * (number - 1)
    if fields[line + LOCATION_OF] ~= '' then use(number, fields[line], fields[line + QUANTITY_OF]) end
  end
end

-- Grants and claims the units of the lines that name a location.
local function claim_named(order)
  places_of_order.each_named(order, function(number, entry, units)
    local taken = max(0, min(units, entry.record and reservable(entry, order.channel) or 0))
    order.granted[number] = taken
    entry.claimed = entry.claimed + taken
  end)
end

-- Chooses among the places of each want those that the channel may take from. Returns how many they are in all.
local function choose_names(order)
  local now, count = places_now(), 0
  local closed, own = now.closed or NONE, now.limited and place_rules.own(order.channel)
  for _, want in ipairs(order.wants) do
    local all, names = want.all, want.names
    if not own and closed == NONE then
      want.names = all
    else
      for i = 1, #all do
        local name = all[i]
        if not closed[name] and (not own or own[name]) then names[#names + 1] = name end
      end
    end
    count = count + #want.names
  end
  return count
end

-- The units of an entry that the channel is shown there: those that it can reserve, or a shortage, which is negative.
function places_of_order.shown_at(entry, channel)
  local shown = allocated and allocations.left(entry, channel) or entry.available
  return shown <= 0 and shown or max(0, reservable(entry, channel))
end

-- Works out what can be had where, after the units that lines with a location have claimed.
local function measure(order)
  for _, want in ipairs(order.wants) do
    local left, fields, net = want.left, want.fields, want.elsewhere or 0
    if order.accept_shortage then net = max(0, net) end
    for i = 1, #fields do
      local entry = stock[fields[i]] or aliases.lies_at and aliases.entry_at(fields[i])
      if entry then left[i] = entry.record and places_of_order.shown_at(entry, order.channel) or 0 end
      net = net + (order.accept_shortage and max(0, left[i]) or left[i])
    end
    want.net = max(0, net)
  end
end

-- The name of the place that has all of all wants, or nil: `main`, else the one with most units of them. except: places
-- that are left out, name -> anything.
local function whole_place(order, except)
  local wants, best, most = order.wants, nil, 0
  local units = nil -- name -> those of the wants so far, where it has all of them
  for w = 1, #wants do
    local want, fits = wants[w], {}
    if want.units > want.net then return nil end
    for i = 1, #want.names do
      local name, left = want.names[i], want.left[i]
      local before = not units and 0 or units[name]
      if before and left >= want.units and not except[name] then
        local sum = before + left
        if w < #wants then fits[name] = sum
        elseif name == DEFAULT_LOCATION then return name
        elseif sum > most or sum == most and name < best then best, most = name, sum end
      end
    end
    units = fits
  end
  return best
end

-- The first places of a want that have so many units together, at most count_max of them, in their order. Quickselect,
-- because to sort thousands of places takes too long. Any place may be the pivot: that in the middle was the worst one
-- hundreds of times in a row, where the stores of a chain have one or two units each and the first ones sold some.
-- among: nil for all places; else only those that are mirrored, or only those that are not.
local function first_places(want, units, count_max, mirrored, among)
  local left, list, chosen, chance = want.left, {}, {}, 1
  for i = 1, #want.names do
    if left[i] > 0 and (among == nil or (mirrored[want.names[i]] ~= nil) == among) then list[#list + 1] = i end
  end
  while #list > 0 and units > 0 and #chosen < count_max do
    chance = chance * 16807 % 2147483647 -- of the generator of Park and Miller; the same in every call
    local pivot = list[1 + chance % #list]
    local before, rest, sum, most = {}, {}, 0, left[pivot]
    for j = 1, #list do
      local i = list[j]
      local has = left[i]
      if has > most or has == most and i ~= pivot and places_of_order.comes_before(want, i, pivot) then
        before[#before + 1], sum = i, sum + has
      elseif i ~= pivot then
        rest[#rest + 1] = i
      end
    end
    if sum >= units or #chosen + #before >= count_max then
      list = before
    else
      for j = 1, #before do chosen[#chosen + 1] = before[j] end
      chosen[#chosen + 1] = pivot
      units, list = units - sum - most, rest
    end
  end
  table.sort(chosen, function(a, b) return places_of_order.comes_before(want, a, b) end)
  return chosen
end

-- Whether our own places have all of all wants together.
local function own_have_all(order, mirrored)
  for _, want in ipairs(order.wants) do
    local units = 0
    for i = 1, #want.names do
      if not mirrored[want.names[i]] then units = units + max(0, want.left[i]) end
    end
    if units < want.units then return false end
  end
  return true
end

-- The place that the whole order is taken from, or nil where it is taken from several.
local function place_of_whole(order, mirrored)
  local own = whole_place(order, mirrored or NONE)
  if own or not mirrored or own_have_all(order, mirrored) then return own end
  return whole_place(order, NONE)
end

-- The first places of a want in their order, our own before what others fill.
local function places_in_turn(want, units, count_max, mirrored)
  if not mirrored then return first_places(want, units, count_max) end
  local chosen, left = first_places(want, units, count_max, mirrored, false), units
  for _, i in ipairs(chosen) do left = left - want.left[i] end
  for _, i in ipairs(first_places(want, left, count_max - #chosen, mirrored, true)) do chosen[#chosen + 1] = i end
  return chosen
end

-- Sets the parts of each want and what is missing. room: lines that may be added to the order.
local function set_parts(order, room)
  local mirrored = places_now().mirrored
  local whole = place_of_whole(order, mirrored)
  for _, want in ipairs(order.wants) do
    local units = min(want.units, want.net)
    want.parts, want.missing = {}, want.units
    if units < want.units and not order.takes_less then
      want.missing = want.units - units
    elseif whole then
      want.parts[1] = {entry = want_stock(want.sku, whole), units = units}
      want.missing = 0
    else
      for _, i in ipairs(places_in_turn(want, units, room + 1, mirrored)) do
        local taken = min(units, want.left[i])
        want.parts[#want.parts + 1] = {entry = want_stock(want.sku, want.names[i]), units = taken}
        units, want.missing = units - taken, want.missing - taken
      end
    end
    room = max(0, room - max(0, #want.parts - 1))
  end
  load_stock()
  for _, want in ipairs(aliases.lies_at and order.wants or NONE) do
    for _, part in ipairs(want.parts) do part.entry = want_stock(part.entry.sku, part.entry.location) end
  end
end

-- Looks for the units of all lines: each want gets its parts. lines_more: lines that the parts may add to the order.
function places_of_order.find(order, lines_more)
  claim_named(order)
  measure(order)
  set_parts(order, lines_more)
  places_of_order.each_named(order, function(_, entry) entry.claimed = 0 end)
end

-- Whether a line lacks units.
function places_of_order.is_short(order)
  for _, want in ipairs(order.wants) do
    if want.missing > 0 then return true end
  end
  local short = false
  places_of_order.each_named(order, function(number, _, units) short = short or order.granted[number] < units end)
  return short
end

-- Counts the lines that an order may become beside its own, where each place gives it one unit. count: of its places.
-- Returns nil, or the answer where the call has no room for them.
local function take_parts(order, count)
  local parts = 0
  for _, want in ipairs(order.wants) do parts = parts + max(0, min(want.units, #want.names) - #want.lines) end
  return work.take_parts(parts, order.count + parts + floor(count / PLACES_PER_LINE))
end

-- How the ledger is answered that is to send the operation again with a weight of so many lines, or nil.
local function retry_with(order, count)
  if is_alone and places_looked == 0 and count <= LOOK_ALONE_MAX then return nil end
  if places_looked + count <= LOOK_MAX then return nil end
  if count > LOOK_MAX then return {'retry_with_weight', places_of_order.WEIGHT_ALONE} end
  return {'retry_with_weight', order.count + floor(count / PLACES_PER_LINE)}
end

-- Reads the places of an order and what they have. Returns nil, or the answer in place of the order's own. to_explain:
-- nothing may be changed.
function places_of_order.look(order, to_explain)
  local instead = places_of_order.read_names(order, to_explain)
  if instead then return instead end
  local count = choose_names(order)
  if count > LOOK_ALONE_MAX then return places_of_order.too_wide(order, to_explain) end
  local retry = not to_explain and (retry_with(order, count) or take_parts(order, count))
  if retry then return retry end
  local ended = not to_explain and count > LOOK_MAX and #expire_due() or 0
  if count + PLACES_PER_HOLD * ended > LOOK_ALONE_MAX then return {'retry_after_expiry'} end
  places_looked = places_looked + count
  return not places_of_order.read_levels(order) and places_of_order.too_wide(order, to_explain) or nil
end

end
