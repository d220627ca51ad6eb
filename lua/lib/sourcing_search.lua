-- The search for the fewest candidates that have all units together where no line is split: sets by size, and of one
-- size in the order of the candidates. What a candidate has is a number with one bit per want. See lib/sourcing.lua.

do

local SEARCH_MAX, comes_before = sourcing.SEARCH_MAX, sourcing.comes_before

-- Returns the first `size` candidates, in their order, that have the bits `all` together, or nil; whether the search
-- was abandoned; and how many candidates were examined. looked: how many were examined before.
function sourcing.cover(candidates, all, size, looked)
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
      -- A candidate that adds no more than an earlier one, which failed with all that follow, fails as well.
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

-- The number of bits that are set.
local function ones(bits)
  local count = 0
  while bits > 0 do
    count = count + bits % 2
    bits = floor(bits / 2)
  end
  return count
end

-- Few rather than fewest: always adds the candidate with most of the missing wants.
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

-- The fewest candidates, at most size_max, that have all units together, or nil. No single one has all units, so the
-- search begins at two.
function sourcing.fewest(candidates, all, size_max)
  local looked = 0
  for size = 2, min(size_max, #candidates) do
    local chosen, gave_up
    chosen, gave_up, looked = sourcing.cover(candidates, all, size, looked)
    work.searched = work.searched + looked
    if chosen then return chosen end
    if gave_up then return greedy(candidates, all, size_max) end
  end
  return nil
end

end
