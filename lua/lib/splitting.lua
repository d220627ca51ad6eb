-- Splitting: which candidates, and how many units from each, where a line may be split because no location has all
-- units of its SKU. Here candidates are compared by units. See lib/sourcing.lua for wants, candidates and parts.

do

local SEARCH_MAX, comes_before = sourcing.SEARCH_MAX, sourcing.comes_before

-- Whether no candidate tried before at this position added as many units of each want. gain, tried[t]: units per want.
local function brings_more(gain, tried)
  for t = 1, #tried do
    local earlier, more = tried[t], false
    for w = 1, #gain do
      if gain[w] > earlier[w] then
        more = true
        break
      end
    end
    if not more then return false end
  end
  return true
end

-- most[w][i]: the greatest number of units of want w that one of the candidates from i on has.
local function most_from(candidates, wants)
  local most = {}
  for w = 1, #wants do
    local column, top = {}, 0
    for i = #candidates, 1, -1 do
      top = max(top, candidates[i].left[w])
      column[i] = top
    end
    most[w] = column
  end
  return most
end

-- sums[k]: the units that the k candidates with most units have together. of(candidate): its units.
local function top_sums(candidates, size_max, of)
  local top, sums = {}, {[0] = 0}
  for i = 1, #candidates do
    local units, k = of(candidates[i]), size_max
    if units > (top[k] or 0) then
      while k > 1 and units > (top[k - 1] or 0) do
        top[k] = top[k - 1]
        k = k - 1
      end
      top[k] = units
    end
  end
  for k = 1, size_max do sums[k] = sums[k - 1] + (top[k] or 0) end
  return sums
end

-- The units that k candidates can have at most: sums (see top_sums) for each want, and for all wants together.
local function bounds_of(candidates, wants, size_max)
  local bounds = {}
  for w = 1, #wants do
    bounds[w] = top_sums(candidates, size_max, function(candidate) return candidate.left[w] end)
  end
  local all = top_sums(candidates, size_max, function(candidate)
    local sum = 0
    for w = 1, #wants do sum = sum + candidate.left[w] end
    return sum
  end)
  return bounds, all
end

-- What a candidate adds to a choice. has, missing: units of each want. Returns the units that it adds and those that
-- are still missing, of each want; whether it adds any; whether none are missing.
local function gain_of(has, missing, count)
  local gain, rest, useful, done = {}, {}, false, true
  for w = 1, count do
    local units = min(has[w], missing[w])
    gain[w], rest[w] = units, missing[w] - units
    if units > 0 then useful = true end
    if rest[w] > 0 then done = false end
  end
  return gain, rest, useful, done
end

-- Returns a function search(size, looked). It returns the first `size` candidates, in their order, that have all units
-- together, or nil; whether it was abandoned; and the cost so far. To examine a candidate costs the number of wants,
-- and as much again for each candidate that it is compared with, because units take longer to compare than bits.
local function new_search(candidates, wants, size_max)
  local n, count, most = #candidates, #wants, most_from(candidates, wants)
  local bounds, bound_of_all = bounds_of(candidates, wants, size_max)
  local chosen, gave_up, looked

  -- Whether no `left` candidates can have the missing units.
  local function too_much(missing, left)
    local sum = 0
    for w = 1, count do
      if missing[w] > bounds[w][left] then return true end
      sum = sum + missing[w]
    end
    return sum > bound_of_all[left]
  end

  -- Chooses at most `left` of the candidates from `first` on for the missing units of each want.
  local function try(first, missing, left)
    if too_much(missing, left) then return false end
    local tried = {}
    for i = first, n - left + 1 do
      for w = 1, count do
        if missing[w] > left * most[w][i] then return false end
      end
      looked = looked + count * (1 + #tried)
      if looked > SEARCH_MAX then
        gave_up = true
        return false
      end
      local gain, rest, useful, done = gain_of(candidates[i].left, missing, count)
      -- A candidate that adds no more than an earlier one, which failed with all that follow, fails as well.
      if useful and (done or left > 1) and brings_more(gain, tried) then
        tried[#tried + 1] = gain
        chosen[#chosen + 1] = candidates[i]
        if done or try(i + 1, rest, left - 1) then return true end
        chosen[#chosen] = nil
        if gave_up then return false end
      end
    end
    return false
  end

  return function(size, looked_before)
    chosen, gave_up, looked = {}, false, looked_before
    local missing = {}
    for w = 1, count do missing[w] = wants[w].units end
    if try(1, missing, size) then return chosen, false, looked end
    return nil, gave_up, looked
  end
end

-- Few rather than fewest: always adds the candidate with most of the missing units.
local function greedy(candidates, wants, size_max)
  local chosen, used, missing, lacking = {}, {}, {}, 0
  for w = 1, #wants do
    missing[w] = wants[w].units
    lacking = lacking + missing[w]
  end
  while lacking > 0 do
    local best, most, place = nil, 0, nil
    for i = 1, #candidates do
      local left, units = candidates[i].left, 0
      for w = 1, #wants do units = units + min(left[w], missing[w]) end
      if units > most and not used[i] then best, most, place = candidates[i], units, i end
    end
    if not best or #chosen == size_max then return nil end
    chosen[#chosen + 1] = best
    used[place] = true
    lacking = lacking - most
    for w = 1, #wants do missing[w] = missing[w] - min(best.left[w], missing[w]) end
  end
  table.sort(chosen, comes_before)
  return chosen
end

-- The fewest candidates, at most size_max, that have all units together, or nil. Among equally many, those that split
-- no line come first. No single one has all units, so the search begins at two.
function sourcing.fewest_with_split_lines(candidates, wants, all, size_max)
  for _, want in ipairs(wants) do
    if want.most < want.units then return nil end
  end
  local looked, search = 0, nil
  size_max = min(size_max, #candidates)
  for size = 2, size_max do
    local chosen, gave_up
    chosen, gave_up, looked = sourcing.cover(candidates, all, size, looked)
    if not chosen and not gave_up then
      search = search or new_search(candidates, wants, size_max)
      chosen, gave_up, looked = search(size, looked)
    end
    work.searched = work.searched + looked
    if chosen then return chosen end
    if gave_up then return greedy(candidates, wants, size_max) end
  end
  return nil
end

-- The parts of want w: as few as possible, so the candidates with most units come first.
function sourcing.split(chosen, w, units)
  local order, parts = {}, {}
  for place, candidate in ipairs(chosen) do
    order[place] = {left = candidate.left[w], place = place, entry = candidate.entries[w]}
  end
  table.sort(order, function(a, b)
    if a.left ~= b.left then return a.left > b.left end
    return a.place < b.place
  end)
  for _, each in ipairs(order) do
    local taken = min(each.left, units)
    if taken > 0 then parts[#parts + 1] = {entry = each.entry, units = taken} end
    units = units - taken
  end
  return parts
end

end
