-- delete_sku: forgets a SKU that has no units and promises none.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] categories  [12] replenishment
--       [13] safety_applied  [14] supply_skus  [15] likeness  [16] sold_out
--       [17…] for each channel: its listings, keys and components (SKU NUL key of a pack or bundle)
-- ARGV  [1] limits  [2] MessagePack [actor, sku, most (places), [channel, …], {each of its names -> fold}]
-- Reply MessagePack [outcome, use, where, key]
--         outcome  "deleted" · unknown_sku · sku_in_use
--                  · too_many_places · rename_unfinished · "other_names": those of the SKU are not those that were sent
--
-- Its old names end with it. The journal has a change "deleted" with a line for each place, by which no unit moves.

-- What a SKU is still used for, as the reply has it: use, where, key; nil: for nothing. use: "units" (where: the
-- location), "expected", "listed" and "component" (where: the channel, key: of the pack or bundle that holds it).
local function use_of(keys, sku, entries, channels)
  for _, entry in ipairs(entries) do
    if entry.record and not aliases.is_spent(entry.record) then return 'units', entry.location, '' end
  end
  if call('HEXISTS', keys[14], sku) == 1 then return 'expected', '', '' end
  for i, channel in ipairs(channels) do
    local at = 17 + 3 * (i - 1)
    if call('HEXISTS', keys[at], sku) == 1 then return 'listed', channel, '' end
    local holding = call('ZRANGEBYLEX', keys[at + 2], '[' .. sku .. '\0', '(' .. sku .. '\1', 'LIMIT', 0, 1)
    if holding[1] then return 'component', channel, holding[1]:sub(#sku + 2) end
  end
  return nil
end

local function journal_lines_of(entries)
  local journal_lines = {}
  for _, entry in ipairs(entries) do
    if entry.record then
      local seq = aliases.next_seq(entry.record)
      journal_lines[#journal_lines + 1] = {0, entry.sku, entry.location, 0, 0, 0, 0, 0, 0, 0, seq}
    end
  end
  return journal_lines
end

local function has_all(folds, names)
  for _, name in ipairs(names) do
    if not folds[name] then return false end
  end
  return true
end

local function delete_names(keys, sku, names, folds)
  likeness.begin(keys[15])
  for _, name in ipairs(names) do likeness.forget('sku', folds[name], name) end
  likeness.write()
  names[#names + 1] = '\0' .. sku
  flush('HDEL', aliases.key, names)
  call('SREM', keys[16], sku)
end

local function answer_deletion(outcome, use, where, key)
  return pack({outcome, use or '', where or '', key or ''})
end

local function delete_sku(args, keys)
  local actor, sku, most, channels, folds = unpack(unpack_msg(args[2]))
  sku = aliases.current(sku)
  local list, of = call('HGET', SKUS, sku), aliases.known()
  if not list then return answer_deletion('unknown_sku') end
  if of and of.moving[sku] then return answer_deletion('rename_unfinished') end
  local names = aliases.names_of(sku)
  if not has_all(folds, names) then return answer_deletion('other_names') end
  if packed_lists.length(list) > most then return answer_deletion('too_many_places') end
  local entries, fields, seq = {}, {}, partition_seq()
  for i, name in ipairs(unpack_msg(list)) do entries[i] = want_stock(sku, name) end
  load_stock()
  for i, entry in ipairs(entries) do fields[i] = entry.field end
  local use, where, key = use_of(keys, sku, entries, channels)
  if use then return answer_deletion('sku_in_use', use, where, key) end
  journal('deleted', actor, '', '', '', journal_lines_of(entries), {{'sku', sku}})
  write()
  if last_seq > seq then call('HSET', META, 'seq', last_seq) end
  for _, key in ipairs({STOCK, ON_HAND_LOG, keys[12], keys[13]}) do flush('HDEL', key, fields) end
  for i = 1, #fields do fields[i] = '\0' .. fields[i] end -- the last counts
  flush('HDEL', ON_HAND_LOG, fields)
  call('HDEL', SKUS, sku)
  call('HDEL', keys[11], sku)
  call('HDEL', keys[12], sku .. '\0')
  delete_names(keys, sku, names, folds)
  return answer_deletion('deleted')
end

register('delete_sku', delete_sku)
