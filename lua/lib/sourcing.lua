-- Sourcing: chooses the locations from which the units of an order come. It changes only the source itself, so that
-- orders (lib/sourced_orders.lua), binding (operations/bind.lua) and explanations (functions/explain_sourcing.lua)
-- choose alike.
--
-- All units of a SKU come from one location, unless split_lines permits otherwise: see lib/splitting.lua. One location
-- that has all units is best. Else as few as possible are chosen (lib/sourcing_search.lua), the first in their order.
--
-- source:    {wants, channel, splits_max (locations beyond the first), split_lines, chunks (of candidates: packed, or a
--            list once they are needed), places (candidates unpacked so far), looked (chunks examined by the choice),
--            is_cut (more locations may have units), waits (the call has no room to look at all candidates)}
-- want:      {sku, units, first (number of its first line), known (whether a candidate knows the SKU), most (units that
--            one location has; with split_lines: that all have)}
-- candidate: {name, rank, place (in the order in which they were sent), entries (stock entry of each want), has (bits:
--            which wants it has in full), units (of all wants), left (with split_lines: units of each want, at most as
--            many as are wanted)}
-- part:      {entry (stock entry), units}: units of a SKU that come from there
--
-- Candidates are sent best first. Those of one rank are equal: of them, the one with more units of the wants comes
-- first. A rank lies within one chunk. The first chunk suffices for most orders; the others stay packed until then.

local sourcing = {
  -- Candidates examined in the search for the fewest: some 2 ms of the 8 that a script may take. Beyond it the search
  -- is a greedy one.
  SEARCH_MAX = 4000,
}

do

-- Values of a candidate in a chunk: name, rank. So many records take as long as one line.
local CANDIDATE_FIELDS, RECORDS_PER_LINE = 2, 6
-- What operations of one call may look at together: records (5 ms), and candidates in earlier searches of the call.
local RECORDS_MAX, SEARCHED_MAX = 2500, 1000

-- Whether candidate a is better than candidate b.
function sourcing.comes_before(a, b)
  if a.rank ~= b.rank then return a.rank < b.rank end
  if a.units ~= b.units then return a.units > b.units end
  return a.place < b.place
end

-- Makes a source. fields[chunks_at] is the first chunk; their number stands in front of it.
function sourcing.new(wants, channel, splits_max, split_lines, fields, chunks_at)
  local chunks, count_at = {}, chunks_at - 1
  for i = 1, fields[count_at] do chunks[i] = fields[chunks_at + i - 1] end
  return {
    wants = wants, channel = channel, splits_max = splits_max, split_lines = split_lines, chunks = chunks, places = 0,
    looked = 0,
  }
end

-- Adds the units of a line to the wants, which hold each SKU once. by_sku: SKU -> want. number: of the line.
function sourcing.add_want(wants, by_sku, sku, units, number)
  local want = by_sku[sku]
  if not want then
    want = {sku = sku, units = 0, first = number, known = false, most = 0}
    by_sku[sku] = want
    wants[#wants + 1] = want
  end
  want.units = want.units + units
end

-- Unpacks a chunk, unless that was done, and registers the stock records that it needs. Returns its candidates, without
-- those that have been closed since the caller ranked them.
function sourcing.unpack_chunk(source, number)
  local chunk, wants = source.chunks[number], source.wants
  if type(chunk) == 'table' then return chunk end
  local values, candidates = {unpack_msg(chunk)}, {}
  for at = 1, #values, CANDIDATE_FIELDS do
    local entries, name = {}, values[at]
    if not place_rules.is_closed(name) then
      source.places = source.places + 1
      for i = 1, #wants do entries[i] = want_stock(wants[i].sku, name) end
      candidates[#candidates + 1] = {
        name = name, rank = values[at + 1], place = source.places, entries = entries, has = 0, units = 0,
      }
    end
  end
  source.chunks[number] = candidates
  return candidates
end

-- Whether there is no candidate: all are closed by now.
function sourcing.is_empty(source)
  for number = 1, #source.chunks do
    if #sourcing.unpack_chunk(source, number) > 0 then return false end
  end
  return true
end

-- Counts the units of the wants that a channel can reserve at a candidate, without those claimed by lines that name it.
local function examine(candidate, wants, channel, split_lines)
  local entries, has, sum, bit_of_want = candidate.entries, 0, 0, 1
  if split_lines then candidate.left = {} end
  for i = 1, #wants do
    local want, entry, left = wants[i], entries[i], 0
    if entry.record then
      want.known = true
      left = reservable(entry, channel)
    end
    if left > 0 then
      sum = sum + left
      if left >= want.units then has = has + bit_of_want end
      if split_lines then want.most = want.most + left elseif left > want.most then want.most = left end
    end
    if split_lines then candidate.left[i] = left > 0 and min(left, want.units) or 0 end
    bit_of_want = bit_of_want * 2
  end
  candidate.has, candidate.units = has, sum
end

-- Examines the next chunk of candidates and returns them.
local function examine_next(source)
  local number = source.looked + 1
  local candidates = sourcing.unpack_chunk(source, number)
  load_stock()
  for i = 1, #candidates do aliases.renew(candidates[i].entries) end
  for i = 1, #candidates do examine(candidates[i], source.wants, source.channel, source.split_lines) end
  source.looked = number
  places_looked = places_looked + #candidates * #source.wants
  for i = 1, allocated and #candidates or 0 do
    for _, entry in ipairs(candidates[i].entries) do
      places_looked = places_looked + RECORDS_PER_LINE * allocations.weight(entry)
    end
  end
  return candidates
end

-- How many records the chunks from `first` on have.
local function records_from(source, first)
  local count = 0
  for number = first, #source.chunks do
    local chunk = source.chunks[number]
    count = count + (type(chunk) == 'table' and #chunk or select('#', unpack_msg(chunk)) / CANDIDATE_FIELDS)
  end
  return count * #source.wants
end

-- Whether the first chunk is not enough, and the call has no room for a look at the others.
local function has_to_wait(source)
  if is_alone or places_looked == 0 then return false end
  return work.searched > SEARCHED_MAX or places_looked + records_from(source, source.looked + 1) > RECORDS_MAX
end

-- The best candidate of a chunk that has all units of all wants, or nil. all: the bits of all wants.
local function best_single(candidates, all)
  local best
  for i = 1, #candidates do
    local candidate = candidates[i]
    if best and candidate.rank ~= best.rank then break end
    if candidate.has == all and (not best or candidate.units > best.units) then best = candidate end
  end
  return best
end

-- All candidates in their order. Examines those that the choice did not need.
function sourcing.ranked(source)
  local ranked = {}
  while source.looked < #source.chunks do examine_next(source) end
  for _, candidates in ipairs(source.chunks) do
    for i = 1, #candidates do ranked[#ranked + 1] = candidates[i] end
  end
  table.sort(ranked, sourcing.comes_before)
  return ranked
end

-- Returns the candidates to take units from, or nil; where no single one suffices, also all candidates in their order.
-- may_wait: if the call has no room to look at all of them, nothing is returned, and source.waits is set.
function sourcing.choose(source, may_wait)
  local wants = source.wants
  local all = 2 ^ #wants - 1 -- one bit per want
  source.looked = 0
  for i = 1, #wants do wants[i].most = 0 end
  source.waits = may_wait and not is_alone and places_looked > RECORDS_MAX
  if source.waits then return nil end
  for _ = 1, #source.chunks do
    local best = best_single(examine_next(source), all)
    if best then return {best} end
    source.waits = may_wait and has_to_wait(source)
    if source.waits then return nil end
  end
  local ranked, size_max = sourcing.ranked(source), source.splits_max + 1
  if source.split_lines then return sourcing.fewest_with_split_lines(ranked, wants, all, size_max), ranked end
  return sourcing.fewest(ranked, all, size_max), ranked
end

-- As choose, for an order that may expire due holds, whose units it can then have.
function sourcing.choose_or_expire(source)
  local chosen, ranked = sourcing.choose(source, true)
  if not chosen and not source.waits and not has_expired_due then
    local ended = #expire_due()
    -- Beyond that, the next call has the units: to look at so many a second time would take too long.
    if ended == 0 or places_looked <= RECORDS_MAX / 2 then return sourcing.choose(source) end
    more_are_due = true
  end
  return chosen, ranked
end

-- Whether a candidate has all units of want i.
function sourcing.has_all(candidate, i)
  return band(candidate.has, 2 ^ (i - 1)) ~= 0
end

-- Returns SKU -> parts. has(candidate, i): whether all units of want i can come from that candidate; where no candidate
-- has them, the line is split.
function sourcing.parts_by_sku(source, chosen, has)
  local by_sku = {}
  for i, want in ipairs(source.wants) do
    for _, candidate in ipairs(chosen) do
      if has(candidate, i) then
        by_sku[want.sku] = {{entry = candidate.entries[i], units = want.units}}
        break
      end
    end
    by_sku[want.sku] = by_sku[want.sku] or sourcing.split(chosen, i, want.units)
  end
  return by_sku
end

-- The refusal where nothing could be chosen. location: the one that was named, or ''. state: of the reservation, or ''.
function sourcing.refusal(source, location, state)
  if source.waits then return {'retry_with_weight', max(1, floor(records_from(source, 1) / RECORDS_PER_LINE))} end
  local unknown, short, all = {}, {}, {}
  for i, want in ipairs(source.wants) do
    local line = {want.first, want.sku, location, want.units, want.most}
    all[i] = line
    if not want.known then unknown[#unknown + 1] = line
    elseif want.most < want.units then short[#short + 1] = line end
  end
  if #unknown > 0 then return refused('unknown_sku', state, unknown) end
  if more_are_due then return {'retry_after_expiry'} end
  if source.is_cut then return refused('sourcing_incomplete', state) end
  if #short > 0 then return refused('out_of_stock', state, short) end
  return refused('too_many_splits', state, all)
end

end
