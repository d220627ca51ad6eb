-- Units that keys with a quota hold: counted by the script that changes them, for each key and for each customer of it.
--
-- hash meta   quota \0 key                  -> units held by what was reserved with that key; gone where there are none
--             quota \0 key \0 customer_ref  -> the same, of one customer of it
--
-- A reservation counts that has a key in its record (Record.quota), whoever changes it. What counts is what it holds,
-- and what its lines wait to hold, at locations: a line without one takes no stock. So each change of a counter has
-- lines in the journal, by which server/store/audit/quota_check.py finds what it was at a moment.
--
-- A reserve or edit with a key that has a quota carries it as a text, "units_max customer_units_max key", else false; a
-- max of 0 limits nothing. Operations of other keys ask for nothing here.
--
-- quota: what quotas.of makes of the text: {key, units_max, customer_units_max (math.huge where nothing is limited),
--        counter (its name), tail (what ends the record of a reservation that counts, packed)}
--
-- entry.counted: of a reservation that counts, as how many units it does, see lib/reservations.lua.

do

local PREFIX = 'quota\0'
local KEY, CUSTOMER = 'key', 'customer' -- which of the two has no room
local BEFORE = 4 -- how many values lib/short_way.lua reads of meta before the counters

-- The optional values of a record between its flags and its quota, for an array has no hole: no notes, no open lines
-- (as channel_lines.without_hole has them), no channel lines.
local BEFORE_QUOTA = '\144\147\160\144\195\144'

-- text -> quota: the same few come again and again. Where there are too many, all are dropped.
local KNOWN_MAX = 1000
local known_quotas, known_count = {}, 0

local function limit_of(digits)
  local limit = tonumber(digits)
  return limit > 0 and limit or math.huge
end

function quotas.of(text)
  local quota = known_quotas[text]
  if quota then return quota end
  if known_count == KNOWN_MAX then known_quotas, known_count = {}, 0 end
  local units_max, customer_units_max, key = text:match('^(%d+) (%d+) (.+)$')
  quota = {
    key = key, units_max = limit_of(units_max), customer_units_max = limit_of(customer_units_max),
    counter = PREFIX .. key, tail = BEFORE_QUOTA .. pack(key),
  }
  known_quotas[text], known_count = quota, known_count + 1
  return quota
end

-- A number as it is written: some stores write a large one as 1e+15. To format it costs as much as to write it.
local LARGE = 1e9
local function whole(units)
  return units < LARGE and units or string.format('%.0f', units)
end

-- quotas.units, quotas.moved: name -> units, as far as this call knows them; the names of those that it has changed.
-- lib/context.lua forgets both when a call begins, and lib/flush.lua looks whether there are any.

-- The names of the counters of a key, and of a customer of it; nil where the reservation names none.
function quotas.names_of(key, customer)
  local name = PREFIX .. key
  return name, customer ~= '' and name .. '\0' .. customer or nil
end

-- How many units a record counts as.
function quotas.units_of(record)
  local units = 0
  for _, line in ipairs(record[Record.lines]) do
    if line[Line.location] ~= '' then units = units + line[Line.held] + (line[Line.waiting] or 0) end
  end
  return units
end

local function known(name)
  if not quotas.units then quotas.units, quotas.moved = {}, {} end
  local units = quotas.units[name]
  if not units then
    units = tonumber(call('HGET', META, name) or 0)
    quotas.units[name] = units
  end
  return units
end

local function add(name, delta)
  local units = known(name) + delta
  quotas.units[name], quotas.moved[name] = units, true
end

-- Counts more units, or fewer, for a key and a customer.
function quotas.count(key, customer, delta)
  if delta == 0 then return end
  local of_key, of_customer = quotas.names_of(key, customer)
  add(of_key, delta)
  if of_customer then add(of_customer, delta) end
end

-- Counts what has become of a reservation since it was counted last. Only for those that have entry.counted.
function quotas.follow(entry)
  local record = entry.record
  local units = quotas.units_of(record)
  quotas.count(record[Record.quota], record[Record.customer_ref], units - entry.counted)
  entry.counted = units
end

-- A line of a refusal; used: how many units count already.
local function lacking(of, units, used, limit)
  return {0, '', '', units, limit - used, of, '', 0, limit}
end

-- Where a key or its customer has no room for so many units more: a line of a refusal, else nil.
local function lacking_room(quota, customer, units)
  local of_key, of_customer = quotas.names_of(quota.key, customer)
  local limit, limit_of_each = quota.units_max, quota.customer_units_max
  if known(of_key) + units > limit then return lacking(KEY, units, known(of_key), limit) end
  if of_customer and known(of_customer) + units > limit_of_each then
    return lacking(CUSTOMER, units, known(of_customer), limit_of_each)
  end
  return nil
end

-- What is answered where a key would hold too many units; or nil. Holds that are due are ended first.
function quotas.refusal(quota, customer, units, state)
  local short = units > 0 and lacking_room(quota, customer, units)
  if not short then return nil end
  expire_due()
  short = lacking_room(quota, customer, units)
  if not short then return nil end
  return more_are_due and {'retry_after_expiry'} or refused('quota_exceeded', state, {short})
end

-- The same for a new reservation whose lines have granted units, nil: all, and wait for missing ones, nil: for none.
function quotas.refusal_of_new(quota, fields, at, last, granted, missing)
  local units, number = 0, 0
  for place = at + LINES_AT, last, LINE_LENGTH do
    number = number + 1
    if not fields[place].unstocked then
      units = units + (granted and granted[number] or fields[place + QUANTITY_OF]) + (missing and missing[number] or 0)
    end
  end
  return quotas.refusal(quota, fields[at + Reserve.customer_ref], units, ''), units
end

-- The same for an edit of a hold: growth is by how many units it becomes larger. What does not count for the key, it
-- may not make larger. text: of the quota.
function quotas.refusal_of_edit(text, record, growth)
  if growth <= 0 then return nil end
  local quota = quotas.of(text)
  if record[Record.quota] ~= quota.key then
    return refused('quota_exceeded', record[Record.state], {lacking(KEY, growth, 0, 0)})
  end
  return quotas.refusal(quota, record[Record.customer_ref], growth, record[Record.state])
end

-- Writes the counters that this call has changed.
function quotas.write()
  local kept, gone = {}, {}
  for name in pairs(quotas.moved) do
    if quotas.units[name] > 0 then push(kept, name, whole(quotas.units[name]))
    else gone[#gone + 1] = name end
  end
  flush('HSET', META, kept)
  flush('HDEL', META, gone)
end

-- For lib/short_way.lua, whose calls have not begun: nothing here asks what the call knows.

-- Reads what that wants to know of meta, and the counters of one reserve with it. Returns it, what the key's counter is
-- to be, and where a customer is named the name of its counter and what that is to be; nil behind it where there is no
-- room.
function quotas.read_short(meta, quota, customer, units)
  local of_key = quota.counter
  if customer == '' then
    local found = call('HMGET', meta, 'seq', 'places', 'shortage', 'renames', of_key)
    local now = (found[BEFORE + 1] or 0) + units
    return found, now <= quota.units_max and whole(now) or nil
  end
  local of_customer = of_key .. '\0' .. customer
  local found = call('HMGET', meta, 'seq', 'places', 'shortage', 'renames', of_key, of_customer)
  local now, now_of_each = (found[BEFORE + 1] or 0) + units, (found[BEFORE + 2] or 0) + units
  if now > quota.units_max or now_of_each > quota.customer_units_max then return found end
  if now >= LARGE or now_of_each >= LARGE then return found, whole(now), of_customer, whole(now_of_each) end
  return found, now, of_customer, now_of_each
end

-- What the reserves of a batch count, each of so many values: text of a quota -> customer -> units. nil where none
-- counts. It asks each reserve as little as can be: nothing else here is done for each.
function quotas.growths_of(fields, n, values)
  local growths, last, customers = nil, false, nil
  for at = 1 + Reserve.quota, n, values do
    local text = fields[at]
    if text then
      if text ~= last then
        growths = growths or {}
        customers = growths[text] or {}
        growths[text], last = customers, text
      end
      local customer = fields[at + (Reserve.customer_ref - Reserve.quota)]
      customers[customer] = (customers[customer] or 0) + fields[at + (Reserve.lines + 2 - Reserve.quota)]
    end
  end
  return growths
end

-- The names of the counters that grow, each key's before those of its customers; nil where a key comes with two quotas,
-- since its counter is there once.
function quotas.growing(growths)
  local names, count, met = {}, 0, {}
  for text, customers in pairs(growths) do
    local counter = quotas.of(text).counter
    if met[counter] then return nil end
    met[counter], count = true, count + 1
    names[count] = counter
    for customer in pairs(customers) do
      if customer ~= '' then
        count = count + 1
        names[count] = counter .. '\0' .. customer
      end
    end
  end
  return names
end

-- The counters as they are to be, {name, units, …}, by the names and what was read of meta, which has them last; nil
-- where one has no room. All units are above zero: where there is room for the sum, there was for each before.
function quotas.grown(growths, names, found)
  local counted, at = {}, 0
  for text, customers in pairs(growths) do
    local quota, total, of_key = quotas.of(text), 0, at + 1
    at = of_key
    counted[2 * at - 1], counted[2 * at] = names[at], 0
    for customer, units in pairs(customers) do
      total = total + units
      if customer ~= '' then
        at = at + 1
        units = (found[BEFORE + at] or 0) + units
        if units > quota.customer_units_max then return nil end
        counted[2 * at - 1], counted[2 * at] = names[at], whole(units)
      end
    end
    total = (found[BEFORE + of_key] or 0) + total
    if total > quota.units_max then return nil end
    counted[2 * of_key] = whole(total)
  end
  return counted
end

end
