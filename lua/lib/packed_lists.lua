-- Long lists that are stored packed: where a SKU is known, its open expected receipts, its log of `on_hand`. They are
-- read in slices and changed without unpacking them: a list of 10,000 names takes 3 ms to unpack and pack.

local packed_lists = {}

do

-- How many values a list has, and how many bytes stand before the first.
local function measured(list)
  local kind, a, b, c, d = list:byte(1, 5)
  if kind < 160 then return kind - 144, 1 end -- fixarray
  if kind == 220 then return a * 256 + b, 3 end -- array 16
  return ((a * 256 + b) * 256 + c) * 256 + d, 5 -- array 32
end

packed_lists.measured = measured

local function head_of(length)
  if length < 65536 then return array_of(length) end
  return char(221, floor(length / 16777216), floor(length / 65536) % 256, floor(length / 256) % 256, length % 256)
end

-- How many values a list has; false: no list.
function packed_lists.length(list)
  return list and measured(list) or 0
end

-- The values of a list from a place in its bytes on (0: the first), up to most. They stand in the returned table from 2
-- on; what [1] has is none of them. Also returns where to go on, or nil behind the last.
function packed_lists.slice(list, at, most)
  local length, head = measured(list)
  if length == 0 then return NONE end
  local values = {unpack_some(list, most, head + at)}
  return values, values[1] >= 0 and values[1] - head or nil
end

-- The place in its bytes of the name behind so many others. It is looked for again in each call: a name in front of it
-- may have become a longer one.
function packed_lists.place_of(list, count)
  local _, head = measured(list)
  local at = head + 1
  for _ = 1, count do
    local kind = list:byte(at)
    at = at + (kind < 192 and kind - 159 or 2 + list:byte(at + 1)) -- fixstr or str 8
  end
  return at - head - 1
end

-- A list with one name in place of another. Where the new one is there already, the old one is only taken out.
function packed_lists.renamed(list, old, new)
  local names, kept, has_new = unpack_msg(list), {}, false
  for i = 1, #names do has_new = has_new or names[i] == new end
  for i = 1, #names do
    if names[i] ~= old then kept[#kept + 1] = names[i] elseif not has_new then kept[#kept + 1] = new end
  end
  return packed_lists.extended(false, kept)
end

-- A list with more values at its end. list: false where there is none.
function packed_lists.extended(list, values)
  local length, head = 0, 0
  if list then length, head = measured(list) end
  local parts = {head_of(length + #values), list and list:sub(head + 1) or ''}
  for i = 1, #values do parts[i + 2] = pack(values[i]) end
  return concat(parts)
end

-- A list without a value, or false where it was the last. The value is in ASCII, so its bytes are found nowhere else:
-- those in front of each value say how long it is, and are not in ASCII.
function packed_lists.without(list, value)
  local length, head = measured(list)
  local first, last = list:find(pack(value), head + 1, true)
  if not first then return list end
  return length > 1 and head_of(length - 1) .. list:sub(head + 1, first - 1) .. list:sub(last + 1)
end

end
