-- What becomes of the lines of a reserve or order without a location: from which places they are reserved, how many
-- units each of them gets, and where those wait or are short that are nowhere. See lib/places_of_order.lua for order,
-- want and part.
--
-- piece: {entry (stock entry), units (that it gets), waits (that it waits for), wanted}: a line as it is reserved.
-- The first piece of a line keeps the line's number; the others become lines behind all others.
--
-- resolve_places(fields, at, accept_shortage) returns {fields, at, last, granted, missing}: the operation in a table of
-- its own, its lines with their locations; the units of each line; those that it waits for, or nil where none does; and
-- numbers: those of the request's lines. Or nil and the refusal. Nothing has changed then.
-- explain_places(fields, at) makes the same choice for functions/explain_sourcing.lua.

local resolve_places, explain_places

do

-- The location that a refusal names for a line without one: the only place that knows the SKU; `main` where none does.
local function location_of(want)
  if #want.all > 1 then return '' end
  return want.all[1] or DEFAULT_LOCATION
end

-- Adds the lines of a want to those of a refusal: {number, SKU, location, units wanted, units that it would get}.
local function add_refused(lines, order, want, left)
  for _, number in ipairs(want.lines) do
    local units = order.fields[order.first + LINE_LENGTH * (number - 1) + QUANTITY_OF]
    local taken = min(units, left)
    left = left - taken
    if taken < units then lines[#lines + 1] = {number, want.sku, location_of(want), units, taken} end
  end
end

local function in_order(lines)
  table.sort(lines, function(a, b) return a[LineRefusal.line] < b[LineRefusal.line] end)
  return lines
end

-- Whether all places that know the SKU are closed.
local function is_closed(want)
  local closed = places_now().closed
  for _, name in ipairs(want.all) do
    if not closed or not closed[name] then return false end
  end
  return true
end

-- The refusal of lines whose units can be nowhere, or nil.
local function refusal_of_places(order)
  local unknown, closed = {}, {}
  places_of_order.each_named(order, function(number, entry, units)
    if not entry.record then unknown[#unknown + 1] = {number, entry.sku, entry.location, units, 0} end
  end)
  for _, want in ipairs(order.wants) do
    local has_none = #want.names == 0 and not order.accept_shortage
    if #want.all == 0 then add_refused(unknown, order, want, 0)
    elseif has_none and is_closed(want) then add_refused(closed, order, want, 0) end
  end
  if #closed > 0 then return refused('location_closed', '', in_order(closed)) end
  if #unknown > 0 then return refused('unknown_sku', '', in_order(unknown)) end
  return nil
end

-- The lines that lack units, as refused takes them.
local function short_lines(order)
  local short = {}
  places_of_order.each_named(order, function(number, entry, units)
    local taken = order.granted[number]
    if taken < units then short[#short + 1] = {number, entry.sku, entry.location, units, taken} end
  end)
  for _, want in ipairs(order.wants) do add_refused(short, order, want, want.units - want.missing) end
  return in_order(short)
end

-- Whether a want lacks units only because its parts would be too many.
local function is_cut(order)
  for _, want in ipairs(order.wants) do
    if want.missing > 0 and want.units <= want.net then return true end
  end
  return false
end

-- Where units are booked that are nowhere: `main` if the channel may take from it, else the place with most units; and
-- where it may take from none that knows the SKU, `main` or the first of those all the same.
local function home_of(want)
  local best = nil
  for i = 1, #want.names do
    if want.names[i] == DEFAULT_LOCATION then return stock_entry(want.sku, DEFAULT_LOCATION) end
    if not best or places_of_order.comes_before(want, i, best) then best = i end
  end
  local name = want.names[best]
  for i = 1, best and 0 or #want.all do
    local other = want.all[i]
    if not name or other == DEFAULT_LOCATION or name ~= DEFAULT_LOCATION and other < name then name = other end
  end
  return stock_entry(want.sku, name)
end

-- Adds units to the piece of a line that is at the same place as they are, or makes one.
local function add_piece(pieces, entry, units, waits)
  local piece = nil
  for _, each in ipairs(pieces) do
    if each.entry == entry then piece = each end
  end
  if not piece then
    piece = {entry = entry, units = 0, waits = 0, wanted = 0}
    pieces[#pieces + 1] = piece
  end
  piece.units, piece.waits, piece.wanted = piece.units + units, piece.waits + waits, piece.wanted + units + waits
end

-- Cuts the parts of a want into the pieces of its lines, in their order. waits_at: where missing units wait, see
-- lib/waiting_places.lua, or nil.
local function cut_want(order, want, pieces, waits_at)
  local at, used = 1, 0
  for _, number in ipairs(want.lines) do
    local missing, own = order.fields[order.first + LINE_LENGTH * (number - 1) + QUANTITY_OF], {}
    while missing > 0 and want.parts[at] do
      local part = want.parts[at]
      local units = min(missing, part.units - used)
      add_piece(own, part.entry, units, 0)
      missing, used = missing - units, used + units
      if used == part.units then at, used = at + 1, 0 end
    end
    if missing > 0 and waits_at then
      local units = min(missing, waits_at.units)
      add_piece(own, waits_at.entry, units, missing - units)
      waits_at.units = waits_at.units - units
    elseif missing > 0 then
      if #own == 0 then add_piece(own, home_of(want), 0, 0) end
      own[1].wanted = own[1].wanted + missing
    end
    pieces[number] = own
  end
end

-- Books what is missing as short: the last part of each want that lacks units, or the one that is there already.
local function book_missing(order)
  for _, want in ipairs(order.wants) do
    if want.missing > 0 then
      local home, found = home_of(want), nil
      for _, part in ipairs(want.parts) do
        if part.entry == home then found = part end
      end
      if not found then
        found = {entry = home, units = 0}
        want.parts[#want.parts + 1] = found
      end
      found.units, want.missing = found.units + want.missing, 0
    end
  end
end

-- The pieces of each line, by number, and how many they are in all.
local function cut(order, waits_at, are_granted)
  local pieces, count = {}, 0
  places_of_order.each_named(order, function(number, entry, units)
    local taken = are_granted and units or order.granted[number]
    pieces[number] = {{entry = entry, units = taken, waits = waits_at and units - taken or 0, wanted = units}}
  end)
  for _, want in ipairs(order.wants) do cut_want(order, want, pieces, waits_at and waits_at[want]) end
  for number = 1, order.count do count = count + #pieces[number] end
  return pieces, count
end

-- The operation in a table of its own, with a line for each piece.
local function with_pieces(order, pieces)
  local fields, granted, missing, waits, numbers = {}, {}, {}, false, {}
  local function add(piece, of)
    local line, number = #fields + 1, #granted + 1
    fields[line], fields[line + LOCATION_OF] = piece.entry, piece.entry.location
    fields[line + QUANTITY_OF] = piece.wanted
    granted[number], missing[number], numbers[number] = piece.units, piece.waits, of
    waits = waits or piece.waits > 0
  end
  for i = order.at, order.first - 1 do fields[#fields + 1] = order.fields[i] end
  for number = 1, order.count do add(pieces[number][1], number) end
  for number = 1, order.count do
    for i = 2, #pieces[number] do add(pieces[number][i], number) end
  end
  fields[1 + Reserve.line_count] = #granted
  return {
    fields = fields, at = 1, last = last_line(fields, 1), granted = granted, missing = waits and missing or nil,
    numbers = numbers,
  }
end

local function has_units(order)
  for _, units in pairs(order.granted) do
    if units > 0 then return true end
  end
  for _, want in ipairs(order.wants) do
    if want.missing < want.units then return true end
  end
  return false
end

-- Looks for the units; where they do not suffice, once more after due holds have ended. Returns whether they suffice.
local function find(order)
  places_of_order.find(order, RECORD_LINES_MAX)
  if not places_of_order.is_short(order) then return true end
  if has_expired_due then return false end
  expire_due()
  places_of_order.find(order, RECORD_LINES_MAX)
  return not places_of_order.is_short(order)
end

-- The pieces of an order whose missing units wait, or nil where they may not.
local function cut_waiting(order)
  local waits_at = places_of_order.waiting(order)
  if not waits_at then return nil end
  local pieces, count = cut(order, waits_at, false)
  local lines, granted = {}, {}
  for number = 1, order.count do
    for _, piece in ipairs(pieces[number]) do
      lines[#lines + 1] = {entry = piece.entry, units = piece.wanted}
      granted[#granted + 1] = piece.units
    end
  end
  if not backorders.missing(lines, granted, order.channel) then return nil end
  return pieces, count
end

-- Decides what becomes of an order that lacks units. Returns its pieces, or nil and the refusal.
local function cut_short(order, partial)
  if more_are_due then return nil, {'retry_after_expiry'} end
  if partial == 'backorder' then
    local pieces, count = cut_waiting(order)
    if pieces then return pieces, count end
  end
  if order.accept_shortage then
    book_missing(order)
    return cut(order, nil, true)
  end
  if partial ~= true and is_cut(order) then return nil, refused('too_many_splits') end
  if partial ~= true or not has_units(order) then return nil, refused('out_of_stock', '', short_lines(order)) end
  return cut(order, nil, false)
end

-- Cuts the lines into pieces. Returns them, or nil and the refusal.
local function pieces_of(order, partial)
  local pieces, count = nil, nil
  if find(order) then
    pieces, count = cut(order, nil, false)
  else
    pieces, count = cut_short(order, partial)
    if not pieces then return nil, count end
  end
  if count <= RECORD_LINES_MAX then return pieces end
  if partial ~= true and not order.accept_shortage then return nil, refused('too_many_splits') end
  -- What is over is left out, or booked as short.
  places_of_order.find(order, RECORD_LINES_MAX - order.count - #order.wants)
  pieces, count = cut_short(order, partial)
  return pieces, not pieces and count or nil
end

function resolve_places(fields, at, accept_shortage)
  local order = places_of_order.read(fields, at, accept_shortage)
  local instead = places_of_order.look(order) or refusal_of_places(order)
  if instead then return nil, instead end
  local pieces, refusal = pieces_of(order, fields[at + Reserve.partial])
  if not pieces then return nil, refusal end
  return with_pieces(order, pieces)
end

-- Returns the order, the refusal or nil, and the parts of the lines without a location {{line, location, units}, …}.
-- Due holds count as held.
function explain_places(fields, at)
  local order, parts = places_of_order.read(fields, at, false), {}
  local refusal = refusal_of_closed(fields, order.first, last_line(fields, at), places_now().closed or NONE)
    or places_of_order.look(order, true) or refusal_of_places(order)
  if refusal then return order, refusal, parts end
  places_of_order.find(order, RECORD_LINES_MAX)
  for _, want in ipairs(order.wants) do
    if want.missing > 0 then refusal = refused(is_cut(order) and 'too_many_splits' or 'out_of_stock') end
  end
  local pieces, count = cut(order, nil, true)
  if count > RECORD_LINES_MAX then refusal = refused('too_many_splits') end
  for number = 1, refusal and 0 or order.count do
    for _, piece in ipairs(order.granted[number] and NONE or pieces[number]) do
      parts[#parts + 1] = {number, piece.entry.location, piece.units}
    end
  end
  return order, refusal, parts
end

end
