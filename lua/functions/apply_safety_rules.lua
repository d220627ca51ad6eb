-- apply_safety_rules: sets the safety stock of locations to what their rules require.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] safety_applied  hash  sku \0 location -> units that a rule has set and that were not changed since
--       [12] backorders      zset  see lib/backorders.lua: units that a rule frees go to lines that wait
-- ARGV  [1] limits  [2] MessagePack [rule, …], each (SKU, location) once
-- Reply MessagePack [number of records changed, [number of each rule that requires more than is available, …]]
--
-- rule: [sku, location, units, percent of on_hand]; units -1: no rule applies any more.
--
-- A rule requires max(units, percent of on_hand rounded up). It takes only units that are not reserved, and gets the
-- rest when they become available. A value that was set by hand stays until it is set to 0.

local RULE_SKU, RULE_LOCATION, RULE_UNITS, RULE_PERCENT = 1, 2, 3, 4

-- The units that a rule requires of a stock record.
local function units_required(rule, record)
  if rule[RULE_UNITS] < 0 then return 0 end
  return max(rule[RULE_UNITS], -floor(-record[Stock.on_hand] * rule[RULE_PERCENT] / 100))
end

-- Sets the safety stock as far as units are available. Returns the units set, and whether that is a change.
local function apply_rule(entry, wanted)
  local record = entry.record
  local before = record[Stock.safety]
  local units = max(0, min(wanted, entry.available + before))
  if units ~= before then
    local journal_lines = {}
    change_buckets(entry, journal_lines, {0, 0, 0, 0, 0, units - before}) -- the sixth bucket is safety
    journal('safeguard', 'system', '', '', '', journal_lines, NONE)
  end
  return units, units ~= before
end

-- Reads the stock records of all rules. Returns their entries and their fields in the hash safety_applied.
local function load_rules(rules)
  local entries, fields = {}, {}
  for i, rule in ipairs(rules) do
    entries[i] = want_stock(rule[RULE_SKU], rule[RULE_LOCATION])
  end
  load_stock()
  aliases.renew(entries)
  for i = 1, #entries do fields[i] = entries[i].field end
  return entries, fields
end

local function apply_safety_rules(args, keys)
  local rules = unpack_msg(args[2])
  local entries, fields = load_rules(rules)
  local applied, capped, kept, gone, count = hash_get_many(keys[11], fields), {}, {}, {}, 0
  for i, rule in ipairs(rules) do
    local entry, was = entries[i], tonumber(applied[i] or 0)
    local record, units = entry.record, 0
    if record and (record[Stock.safety] == 0 or record[Stock.safety] == was) then
      local wanted = units_required(rule, record)
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
