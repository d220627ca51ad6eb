-- apply_safety_rules: brings the safety stock of places to what their rules say.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] safety_applied  hash  sku \0 location -> units that a rule has set there, and nobody else since
--       [12] backorders      zset  see lib/backorders.lua: what a rule lets go of is for who waits
-- ARGV  [1] limits, [2] MessagePack [[sku, location, units, percent of on_hand], …], each place once; units -1: no rule
-- Reply MessagePack [how many were changed, [number of each place whose rule wants more than is free now, …]]
--
-- A rule gives max(units, percent of on_hand rounded up), of what nobody was promised: it takes back no promise, and
-- gives way to those that came since. A value that somebody set by hand stays, until it is set to 0.

local RULE_SKU, RULE_LOCATION, RULE_UNITS, RULE_PERCENT = 1, 2, 3, 4

local function wanted_by(rule, record)
  if rule[RULE_UNITS] < 0 then return 0 end
  return max(rule[RULE_UNITS], -floor(-record[Stock.on_hand] * rule[RULE_PERCENT] / 100))
end

local function apply_rule(entry, wanted)
  local record = entry.record
  local before = record[Stock.safety]
  local units = max(0, min(wanted, entry.available + before))
  if units ~= before then
    local journal_lines = {}
    change_buckets(entry, journal_lines, {0, 0, 0, 0, 0, units - before})
    journal('safeguard', 'system', '', '', '', journal_lines, NONE)
  end
  return units, units ~= before
end

local function apply_safety_rules(args, keys)
  local rules, entries, fields = unpack_msg(args[2]), {}, {}
  for i, rule in ipairs(rules) do
    entries[i] = want_stock(rule[RULE_SKU], rule[RULE_LOCATION])
    fields[i] = entries[i].field
  end
  load_stock()
  local applied, capped, kept, gone, count = hash_get_many(keys[11], fields), {}, {}, {}, 0
  for i, rule in ipairs(rules) do
    local entry, was = entries[i], tonumber(applied[i] or 0)
    local record, units = entry.record, 0
    if record and (record[Stock.safety] == 0 or record[Stock.safety] == was) then
      local wanted = wanted_by(rule, record)
      local is_changed
      units, is_changed = apply_rule(entry, wanted)
      if is_changed then count = count + 1 end
      if units < wanted then capped[#capped + 1] = i end
    end
    if units ~= was then
      if units > 0 then push(kept, fields[i], units) else gone[#gone + 1] = fields[i] end
    end
  end
  write()
  flush('HSET', keys[11], kept)
  flush('HDEL', keys[11], gone)
  return pack({count, capped})
end

register('apply_safety_rules', apply_safety_rules, {}, true)
