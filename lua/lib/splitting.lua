-- Splitting: the part of sourcing that comes to bear where a SKU may be taken from several locations, because none has all
-- of it. Which locations, and how much from each. See lib/sourcing.lua for wants and candidates.

do

-- Whether no candidate tried before at this place brought as much of everything.
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

-- most[w][i]: the most that one of the candidates from i on has of want w.
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

-- sums[k]: what the k candidates that have most have together. of: a candidate's units.
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

-- What so many candidates can bring at most: sums of each want, and of all together.
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

-- Gives a function of a size and of what was spent on looking before: the first `size` candidates, in their order, that
-- have everything together, or nil; whether it was given up; what was spent. A look costs as much as there are wants,
-- and as much again for each candidate that it is held against.
function sourcing.search(candidates, wants, size_max, looked_max)
  local n, count, most = #candidates, #wants, most_from(candidates, wants)
  local bounds, bound_of_all = bounds_of(candidates, wants, size_max)
  local chosen, gave_up, looked

  local function too_much(missing, left)
    local sum = 0
    for w = 1, count do
      if missing[w] > bounds[w][left] then return true end
      sum = sum + missing[w]
    end
    return sum > bound_of_all[left]
  end

  local function try(first, missing, left)
    if too_much(missing, left) then return false end
    local tried = {}
    for i = first, n - left + 1 do
      for w = 1, count do
        if missing[w] > left * most[w][i] then return false end
      end
      looked = looked + count * (1 + #tried)
      if looked > looked_max then
        gave_up = true
        return false
      end
      local has, gain, rest, useful, done = candidates[i].left, {}, {}, false, true
      for w = 1, count do
        local units = min(has[w], missing[w])
        gain[w], rest[w] = units, missing[w] - units
        if units > 0 then useful = true end
        if rest[w] > 0 then done = false end
      end
      -- One that brings no more than an earlier one did, which failed with all that come after, fails too.
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

-- Few rather than fewest: always the one that brings most units of what is missing.
function sourcing.greedy(candidates, wants, size_max)
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
  return chosen
end

-- How much of want w to take where: in as few parts as can be, so first where there is most.
function sourcing.parts(chosen, w, units)
  local order, parts = {}, {}
  for place, candidate in ipairs(chosen) do order[place] = {candidate.left[w], place, candidate.entries[w]} end
  table.sort(order, function(a, b)
    if a[1] ~= b[1] then return a[1] > b[1] end
    return a[2] < b[2]
  end)
  for _, each in ipairs(order) do
    local taken = min(each[1], units)
    if taken > 0 then parts[#parts + 1] = {each[3], taken} end
    units = units - taken
  end
  return parts
end

end
