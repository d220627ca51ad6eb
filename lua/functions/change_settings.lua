-- change_settings: changes fields of a hash of settings; the journal says who did it, from what and to what.
--
-- KEYS  [1] the hash  [2] journal  stream
-- ARGV  [1] MessagePack [operation, actor, channel, whether its values are MessagePack, which the journal has as JSON],
--       then maybe [value of each field before, false: none]: where one has another value, nothing changes
--       [2…] six for each field: how many notes it has for the journal; those, as MessagePack [name, value] one behind
--       the other; the field; "set" or "delete"; the value; "" or MessagePack [other fields that go with it]
-- Reply how many fields have another value than before; -1: one had another value than was expected
--
-- The entry has no lines. Behind the notes of each field stand the notes was and now, where they differ.

-- Whether a value that somebody else may have written can stand in the journal, whose entries are text.
local function is_text(value)
  if not value:find('[\128-\255]') then return true end
  local rest = value:gsub('[\194-\223][\128-\191]', ''):gsub('[\224-\239][\128-\191][\128-\191]', '')
  rest = rest:gsub('[\240-\244][\128-\191][\128-\191][\128-\191]', '')
  return not rest:find('[\128-\255]')
end

-- What the journal says of a value, packed.
local function packed_text(value, is_packed)
  if not value then return string_of[0] end
  if is_packed then
    local is_done, text = pcall(function() return cjson.encode(unpack_msg(value)) end)
    value = is_done and text or '?'
  end
  return pack(is_text(value) and value or '?')
end

local WAS, NOW = '\146\163was', '\146\163now' -- the heads of these notes in MessagePack

local function change_settings(keys, args)
  local operation, actor, channel, is_packed, expected = unpack(unpack_msg(args[1]))
  local fields, others = {}, {}
  for at = 2, #args, 6 do
    fields[#fields + 1] = args[at + 2]
    for _, other in ipairs(args[at + 5] ~= '' and unpack_msg(args[at + 5]) or NONE) do others[#others + 1] = other end
  end
  local before, of_others, other_at = hash_get_many(keys[1], fields), hash_get_many(keys[1], others), 0
  for i, value in ipairs(expected or NONE) do
    if before[i] ~= value then return -1 end
  end
  local kept, gone, notes, count, changed = {}, {}, {}, 0, 0
  for i = 1, #fields do
    local at = 6 * i - 4
    local was, now = before[i], args[at + 3] == 'set' and args[at + 4] or false
    for _, other in ipairs(args[at + 5] ~= '' and unpack_msg(args[at + 5]) or NONE) do
      other_at = other_at + 1
      was = was or of_others[other_at]
      if of_others[other_at] then gone[#gone + 1] = other end
    end
    count, notes[#notes + 1] = count + tonumber(args[at]), args[at + 1]
    if was ~= now then
      changed, count = changed + 1, count + 2
      push(notes, WAS, packed_text(was, is_packed))
      push(notes, NOW, packed_text(now, is_packed))
    end
    if now then push(kept, fields[i], now) elseif before[i] then gone[#gone + 1] = fields[i] end
  end
  flush('HDEL', keys[1], gone)
  flush('HSET', keys[1], kept)
  local head = pack(operation, clock_ms(), actor, channel, '', '', NONE)
  call('XADD', keys[2], '*', 'e', array_of(1) .. '\152' .. head .. array_of(count) .. concat(notes))
  return changed
end

register_apart('change_settings', change_settings, {})
