-- source: chooses where to take the lines that name no location, of the promise that stands right behind it.
--
-- op      [1 tag, 2 splits_max, 3 closed (false, or the numbers of the lines that name a closed location),
--          4 split_lines, 5 open (false, or the group within which the planned lines may still be bound elsewhere),
--          6 how many chunks, then each chunk: MessagePack values name, rank, name, rank, …], then the promise: a
--         reserve or order whose lines to be planned have "" as their location
--         Candidates stand best first. Those of one rank are equals: of them, the one with more of what is wanted comes
--         first. A rank lies within one chunk, and most orders need the first chunk only: the others stay packed.
-- Effect  the location stands in those lines, and the promise is run as if its caller had named it
-- Answers location_closed · unknown_sku · out_of_stock · too_many_splits · retry_after_expiry
--
-- Everything of a SKU comes from one location, unless split_lines allows otherwise: see lib/splitting.lua. One location
-- that has everything is best; else as few as can be, of those the ones that come first. server/domain/sourcing.py says
-- the same in Python, and explains a choice with it.
--
-- want:      {sku, units, first (its first line's number), known, most (that one location has; with split_lines: all)}
-- candidate: {name, rank, place (in the order in which they were sent), entries, has (bits: which wants), units,
--             left (with split_lines: units of each want, at most as many as are wanted)}

local sourcing = {}

do

-- Looks at candidates while searching for the fewest; some two milliseconds. Past it the search is for few, not fewest.
local SEARCH_MAX = 4000
local HEAD = 6 -- fields of the operation before its chunks

local band, bor

local function promise_at(fields, at)
  return at + HEAD + fields[at + HEAD - 1]
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

-- Counts what a candidate has for a channel of what is wanted, beyond what lines that name it take. parted: lines may be
-- split.
local function look(candidate, wants, channel, parted)
  local has, sum = 0, 0
  if parted then candidate.left = {} end
  for i = 1, #wants do
    local want, entry = wants[i], candidate.entries[i]
    if entry.record then
      want.known = true
      local left = promisable(entry, channel)
      if left > 0 then
        sum = sum + left
        if parted then want.most = want.most + left elseif left > want.most then want.most = left end
        if left >= want.units then has = has + 2 ^ (i - 1) end
        if parted then candidate.left[i] = min(left, want.units) end
      end
    end
    if parted then candidate.left[i] = candidate.left[i] or 0 end
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

-- The same where lines may be split: of as many locations, first without splitting, then with.
local function several_parted(candidates, wants, all, size_max)
  for _, want in ipairs(wants) do
    if want.most < want.units then return nil end
  end
  local looked, search = 0, nil
  size_max = min(size_max, #candidates)
  for size = 2, size_max do
    local chosen, gave_up
    chosen, gave_up, looked = cover(candidates, all, size, looked)
    if not chosen and not gave_up then
      search = search or sourcing.search(candidates, wants, size_max, SEARCH_MAX)
      chosen, gave_up, looked = search(size, looked)
    end
    if chosen then return chosen end
    if gave_up then
      chosen = sourcing.greedy(candidates, wants, size_max)
      if chosen then table.sort(chosen, comes_before) end
      return chosen
    end
  end
  return nil
end

-- The locations to take from, or nil and all candidates in their order.
local function choose(source)
  local wants, ranked = source.wants, {}
  local all = 2 ^ #wants - 1
  for _, want in ipairs(wants) do want.most = 0 end
  for number, chunk in ipairs(source.chunks) do
    if type(chunk) == 'string' then
      chunk = candidates_of(source, chunk)
      source.chunks[number] = chunk
    end
    load_stock()
    for i = 1, #chunk do
      look(chunk[i], wants, source.channel, source.split_lines)
      ranked[#ranked + 1] = chunk[i]
    end
    local best = whole(chunk, all)
    if best then return {best} end
  end
  table.sort(ranked, comes_before)
  if source.split_lines then return several_parted(ranked, wants, all, source.splits_max + 1), ranked end
  return several(ranked, all, source.splits_max + 1), ranked
end

-- What to take of each SKU where: SKU -> [[stock entry, units], …]. has(candidate, i): whether all of it is to come
-- from there; where none is so, the line is split.
local function parts_by_sku(source, chosen, has)
  local by_sku = {}
  for i, want in ipairs(source.wants) do
    for _, candidate in ipairs(chosen) do
      if has(candidate, i) then
        by_sku[want.sku] = {{candidate.entries[i], want.units}}
        break
      end
    end
    by_sku[want.sku] = by_sku[want.sku] or sourcing.parts(chosen, i, want.units)
  end
  return by_sku
end

-- Takes up to so many units of the first part that is left.
local function next_part(parts, units)
  local part = parts[1]
  units = min(units, part[2])
  part[2] = part[2] - units
  if part[2] == 0 then table.remove(parts, 1) end
  return part[1], units
end

-- Puts the locations into the lines. What of a split line comes from elsewhere becomes lines behind all others, so that
-- those keep their numbers; the promise is then given anew, in a table of its own, for here is no room.
local function assign(fields, promise, first, last, by_sku)
  local more, count = {}, fields[promise + LINES_AT - 1]
  for at = first, last, 3 do
    if fields[at + 1] == '' then
      local parts, missing = by_sku[fields[at].sku], fields[at + 2]
      local entry, units = next_part(parts, missing)
      fields[at], fields[at + 1], fields[at + 2] = entry, entry.location, units
      missing = missing - units
      while missing > 0 do
        entry, units = next_part(parts, missing)
        more[#more + 1] = entry
        more[#more + 1] = entry.location
        more[#more + 1] = units
        missing = missing - units
      end
    end
  end
  if #more == 0 then return nil end
  local longer = {}
  for i = promise, last + 2 do longer[#longer + 1] = fields[i] end
  for i = 1, #more do longer[#longer + 1] = more[i] end
  longer[LINES_AT] = count + #more / 3
  return longer
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
  if more_are_due then return {'retry_after_expiry'} end
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

-- The numbers of the lines to be planned.
local function planned_numbers(fields, first, last)
  local numbers = {}
  for at = first, last, 3 do
    if fields[at + 1] == '' then numbers[#numbers + 1] = (at - first) / 3 + 1 end
  end
  return numbers
end

-- Puts the choice into the lines and has the new record say which of them are open, the further parts of split ones, too.
-- Gives what assign gives, or nil and the refusal.
local function settle_on(source, fields, at, first, last, by_sku)
  local numbers = source.open and planned_numbers(fields, first, last)
  local longer = assign(fields, at, first, last, by_sku)
  if longer and longer[LINES_AT] > RECORD_LINES_MAX then return nil, refused('too_many_lines') end
  if numbers then
    for number = fields[at + LINES_AT - 1] + 1, longer and longer[LINES_AT] or 0 do numbers[#numbers + 1] = number end
    record_extras = record_extras or {}
    record_extras.open = {source.open, numbers, false}
  end
  return longer
end

-- What lines that name their location take is not there for the others. sign: 1 claims, -1 lets go.
local function claim_named(fields, first, last, sign)
  for at = first, last, 3 do
    if fields[at + 1] ~= '' then fields[at].claimed = max(0, fields[at].claimed + sign * fields[at + 2]) end
  end
end

-- The locations, or nil and all candidates; with what lapsed holds give back, if it takes that.
local function seek(source)
  local chosen, ranked = choose(source)
  if not chosen and not has_expired_due then
    expire_due()
    chosen, ranked = choose(source)
  end
  return chosen, ranked
end

-- Gives the promise in a table of its own, if it has become longer, and the refusal, if there is one.
local function plan(source, fields, at, last)
  local first = at + LINES_AT
  if source.closed then return nil, closed_lines(fields, first, last, source.closed) end
  if #source.wants == 0 then return nil end
  if #source.chunks == 0 then return nil, closed_lines(fields, first, last, nil) end
  local accept_shortage = fields[at] == 'order' and fields[at + 5]
  claim_named(fields, first, last, 1)
  local chosen, ranked = seek(source)
  claim_named(fields, first, last, -1)
  if chosen then return settle_on(source, fields, at, first, last, parts_by_sku(source, chosen, has_all)) end
  local refusal = refusal_of(source)
  if accept_shortage and refusal[2] ~= 'unknown_sku' and refusal[1] ~= 'retry_after_expiry' then
    return settle_on(source, fields, at, first, last, parts_by_sku(source, ranked, knows))
  end
  return nil, refusal
end

-- Names the records that the first chunk needs; gives where the promise begins.
function sourcing.prefetch(fields, at)
  if not band then band, bor = bit.band, bit.bor end
  local promise = promise_at(fields, at)
  local source = {
    splits_max = fields[at + 1], closed = fields[at + 2], split_lines = fields[at + 3], open = fields[at + 4],
    places = 0, chunks = {}, channel = fields[promise + 4],
    wants = wants_of(fields, promise + LINES_AT, last_line(fields, promise)),
  }
  for i = 1, fields[at + HEAD - 1] do source.chunks[i] = fields[at + HEAD + i - 1] end
  if source.chunks[1] then source.chunks[1] = candidates_of(source, source.chunks[1]) end
  fields[at + 1] = source
  return promise
end

-- Plans the promise. Gives, each where there is one: the promise in a table of its own, because lines were split, and the
-- refusal. A promise that came before answers for itself.
function sourcing.plan(fields, at)
  local promise = promise_at(fields, at)
  local known = fields[promise + 1] ~= '' and reservations[fields[promise + 3]]
  if known and record_of(known) then return nil, nil end
  return plan(fields[at + 1], fields, promise, last_line(fields, promise))
end

-- Where to take what source.wants says: SKU -> [[stock entry, units], …], or nil.
function sourcing.seek(source)
  if not band then band, bor = bit.band, bit.bor end
  local chosen = seek(source)
  return chosen and parts_by_sku(source, chosen, has_all)
end

sourcing.promise_at = promise_at

end
