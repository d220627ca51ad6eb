-- source: chooses where to take the lines that name no location, of the promise that stands right behind it.
--
-- op      [1 tag, 2 splits_max, 3 closed (false, or the numbers of the lines that name a closed location), 4 how many
--          chunks, then each chunk: MessagePack values name, rank, name, rank, …], then the promise: a reserve or
--         order whose lines to be planned have "" as their location
--         Candidates stand best first. Those of one rank are equals: of them, the one with more of what is wanted comes
--         first. A rank lies within one chunk, and most orders need the first chunk only: the others stay packed.
-- Effect  the location stands in those lines, and the promise is run as if its caller had named it
-- Answers location_closed · unknown_sku · out_of_stock · too_many_splits · again
--
-- Everything of a SKU comes from one location. One location that has everything is best; else as few as can be, of
-- those the ones that come first. server/domain/sourcing.py says the same in Python, and explains a choice with it.
--
-- want:      {sku, units, first (its first line's number), entries of the candidates in their order, known, most}
-- candidate: {name, rank, place (in the order in which they were sent), entries, has (bits: which wants), units}

local sourcing = {}

do

-- Looks at candidates while searching for the fewest; some two milliseconds. Past it the search is for few, not fewest.
local SEARCH_MAX = 4000
local HEAD = 4 -- fields of the operation before its chunks

local band, bor

local function promise_at(fields, at)
  return at + HEAD + fields[at + 3]
end

-- What the planned lines want, each SKU once.
local function wants_of(fields, first, last)
  local wants, by_sku = {}, {}
  for at = first, last, 3 do
    if fields[at + 1] == '' then
      local sku = fields[at]
      local want = by_sku[sku]
      if not want then
        want = {sku = sku, units = 0, first = (at - first) / 3 + 1, known = false, most = 0}
        by_sku[sku] = want
        wants[#wants + 1] = want
      end
      want.units = want.units + fields[at + 2]
    end
  end
  return wants
end

-- Unpacks a chunk and names the stock records that it needs.
local function candidates_of(source, chunk)
  local values, candidates, wants = {unpack_msg(chunk)}, {}, source.wants
  for at = 1, #values, 2 do
    source.places = source.places + 1
    local entries, name = {}, values[at]
    for i = 1, #wants do entries[i] = want_stock(wants[i].sku, name) end
    candidates[#candidates + 1] = {
      name = name, rank = values[at + 1], place = source.places, entries = entries, has = 0, units = 0,
    }
  end
  return candidates
end

-- Counts what a candidate has of what is wanted, beyond what lines that name it take.
local function look(candidate, wants)
  local has, sum = 0, 0
  for i = 1, #wants do
    local want, entry = wants[i], candidate.entries[i]
    if entry.record then
      want.known = true
      local left = promisable(entry)
      if left > 0 then
        sum = sum + left
        if left > want.most then want.most = left end
        if left >= want.units then has = has + 2 ^ (i - 1) end
      end
    end
  end
  candidate.has, candidate.units = has, sum
end

-- The best candidate of a chunk that has everything, or nil.
local function whole(candidates, all)
  local best
  for i = 1, #candidates do
    local candidate = candidates[i]
    if best and candidate.rank ~= best.rank then break end
    if candidate.has == all and (not best or candidate.units > best.units) then best = candidate end
  end
  return best
end

local function comes_before(a, b)
  if a.rank ~= b.rank then return a.rank < b.rank end
  if a.units ~= b.units then return a.units > b.units end
  return a.place < b.place
end

-- The first `size` candidates, in their order, that have everything together; nil: there are none, and whether the
-- search was given up. looked: how many were looked at before.
local function cover(candidates, all, size, looked)
  local n, rest, chosen, gave_up = #candidates, {}, {}, false
  rest[n + 1] = 0
  for i = n, 1, -1 do rest[i] = bor(rest[i + 1], candidates[i].has) end
  local function try(first, missing, left)
    local tried = {}
    for i = first, n do
      if band(rest[i], missing) ~= missing then return false end
      looked = looked + 1
      if looked > SEARCH_MAX then
        gave_up = true
        return false
      end
      local gain = band(candidates[i].has, missing)
      -- One that brings no more than an earlier one did, which failed with all that come after, fails too.
      local useful = gain ~= 0 and (left > 1 or gain == missing)
      for t = 1, useful and #tried or 0 do
        if band(gain, tried[t]) == gain then
          useful = false
          break
        end
      end
      if useful then
        tried[#tried + 1] = gain
        chosen[#chosen + 1] = candidates[i]
        if left == 1 or try(i + 1, missing - gain, left - 1) then return true end
        chosen[#chosen] = nil
        if gave_up then return false end
      end
    end
    return false
  end
  if try(1, all, size) then return chosen, false, looked end
  return nil, gave_up, looked
end

local function ones(bits)
  local count = 0
  while bits > 0 do
    count = count + bits % 2
    bits = floor(bits / 2)
  end
  return count
end

-- Few rather than fewest: always the one that brings most of what is missing.
local function greedy(candidates, all, size_max)
  local chosen, missing = {}, all
  while missing > 0 and #chosen < size_max do
    local best, most = nil, 0
    for i = 1, #candidates do
      local count = ones(band(candidates[i].has, missing))
      if count > most then best, most = candidates[i], count end
    end
    if not best then return nil end
    chosen[#chosen + 1] = best
    missing = missing - band(best.has, missing)
  end
  if missing > 0 then return nil end
  table.sort(chosen, comes_before)
  return chosen
end

-- The fewest candidates, more than one, that have everything together, or nil.
local function several(candidates, all, size_max)
  local looked = 0
  for size = 2, min(size_max, #candidates) do
    local chosen, gave_up
    chosen, gave_up, looked = cover(candidates, all, size, looked)
    if chosen then return chosen end
    if gave_up then return greedy(candidates, all, size_max) end
  end
  return nil
end

-- The locations to take from, or nil and all candidates in their order.
local function choose(source)
  local wants, ranked = source.wants, {}
  local all = 2 ^ #wants - 1
  for number, chunk in ipairs(source.chunks) do
    if type(chunk) == 'string' then
      chunk = candidates_of(source, chunk)
      source.chunks[number] = chunk
    end
    load_stock()
    for i = 1, #chunk do
      look(chunk[i], wants)
      ranked[#ranked + 1] = chunk[i]
    end
    local best = whole(chunk, all)
    if best then return {best} end
  end
  table.sort(ranked, comes_before)
  return several(ranked, all, source.splits_max + 1), ranked
end

-- Puts each want's location into its lines. has(candidate, i): whether it is to be taken from there.
local function assign(source, fields, first, last, chosen, has)
  local by_sku = {}
  for i, want in ipairs(source.wants) do
    for _, candidate in ipairs(chosen) do
      if has(candidate, i) then
        by_sku[want.sku] = candidate.entries[i]
        break
      end
    end
  end
  for at = first, last, 3 do
    if fields[at + 1] == '' then
      local entry = by_sku[fields[at].sku]
      fields[at], fields[at + 1] = entry, entry.location
    end
  end
end

local function has_all(candidate, i)
  return band(candidate.has, 2 ^ (i - 1)) ~= 0
end

local function knows(candidate, i)
  return candidate.entries[i].record
end

local function refusal_of(source)
  local unknown, short = {}, {}
  for _, want in ipairs(source.wants) do
    local line = {want.first, want.sku, '', want.units, want.most}
    if not want.known then unknown[#unknown + 1] = line
    elseif want.most < want.units then short[#short + 1] = line end
  end
  if #unknown > 0 then return refused('unknown_sku', '', unknown) end
  if more_due then return {'again'} end
  if #short > 0 then return refused('out_of_stock', '', short) end
  local lines = {}
  for i, want in ipairs(source.wants) do lines[i] = {want.first, want.sku, '', want.units, want.most} end
  return refused('too_many_splits', '', lines)
end

-- The numbered lines, or those to be planned, at locations that take no promises.
local function closed_lines(fields, first, last, numbers)
  local lines = {}
  for at = first, last, 3 do
    local number, is_named = (at - first) / 3 + 1, false
    for _, closed in ipairs(numbers or NONE) do is_named = is_named or closed == number end
    if is_named or (not numbers and fields[at + 1] == '') then
      lines[#lines + 1] = {number, fields[at].sku, fields[at + 1], fields[at + 2], 0}
    end
  end
  return refused('location_closed', '', lines)
end

-- What lines that name their location take is not there for the others. sign: 1 claims, -1 lets go.
local function claim_named(fields, first, last, sign)
  for at = first, last, 3 do
    if fields[at + 1] ~= '' then fields[at].claimed = max(0, fields[at].claimed + sign * fields[at + 2]) end
  end
end

local function plan(source, fields, at, last)
  local first = at + LINES_AT
  if source.closed then return closed_lines(fields, first, last, source.closed) end
  if #source.wants == 0 then return nil end
  if #source.chunks == 0 then return closed_lines(fields, first, last, nil) end
  local accept_shortage = fields[at] == 'order' and fields[at + 5]
  claim_named(fields, first, last, 1)
  local chosen, ranked = choose(source)
  if not chosen and not reaped then
    reap()
    chosen, ranked = choose(source)
  end
  claim_named(fields, first, last, -1)
  if chosen then
    assign(source, fields, first, last, chosen, has_all)
    return nil
  end
  local refusal = refusal_of(source)
  if accept_shortage and refusal[2] ~= 'unknown_sku' and refusal[1] ~= 'again' then
    assign(source, fields, first, last, ranked, knows)
    return nil
  end
  return refusal
end

-- Names the records that the first chunk needs; gives where the promise begins.
function sourcing.prefetch(fields, at)
  if not band then band, bor = bit.band, bit.bor end
  local promise = promise_at(fields, at)
  local source = {
    splits_max = fields[at + 1], closed = fields[at + 2], places = 0, chunks = {},
    wants = wants_of(fields, promise + LINES_AT, last_line(fields, promise)),
  }
  for i = 1, fields[at + 3] do source.chunks[i] = fields[at + HEAD + i - 1] end
  if source.chunks[1] then source.chunks[1] = candidates_of(source, source.chunks[1]) end
  fields[at + 1] = source
  return promise
end

-- Plans the promise; gives where it begins, and the refusal if there is one. One that came before answers for itself.
function sourcing.plan(fields, at)
  local promise = promise_at(fields, at)
  local known = fields[promise + 1] ~= '' and reservations[fields[promise + 3]]
  if known and record_of(known) then return promise, nil end
  return promise, plan(fields[at + 1], fields, promise, last_line(fields, promise))
end

end
