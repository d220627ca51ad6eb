-- explain_sourcing: chooses locations as an order would, sourced or not, and returns what each candidate has. Flag
-- no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] questions, MessagePack values one after the other: the fields of a source
--       (lib/sourced_orders.lua) with the tag "explain", or the tag "explain_places" and, where its places are
--       named, those of operations/among.lua; then the fields of the reserve that is to be explained
-- Reply for each question, in order, MessagePack [now_ms, outcome, parts, wants, candidates]
--         outcome     "chosen", or that of the refusal
--         parts       [[line, location, units], …]
--         wants       [[sku, units], …]
--         candidates  [[name, [units of each want]], …]; of a source the best first
--
-- An order that runs short expires due holds first. Nothing may be written here, so their units count as held.

-- The answer, packed, and where the next question begins. start: place of the reserve.
local function explained(fields, start, refusal, parts, wants, candidates)
  local outcome = refusal and refusal[REFUSED_OUTCOME] or 'chosen'
  return pack({NOW_MS, outcome, parts, wants, candidates}), last_line(fields, start) + LINE_LENGTH
end

composite('explain', {
  prefetch = sourcing.prefetch,
  run = function(fields, at)
    return explained(fields, sourcing.reservation_at(fields, at), sourcing.explain(fields, at))
  end,
})

-- The units of each want at each place that may be taken from: {{name, {units of each want}}, …}.
local function units_at_places(order)
  local found, by_name = {}, {}
  for w, want in ipairs(order.wants) do
    for i, name in ipairs(want.names) do
      local units = by_name[name]
      if not units then
        units = {}
        for other = 1, #order.wants do units[other] = 0 end
        by_name[name], found[#found + 1] = units, {name, units}
      end
      units[w] = want.left[i] or 0
    end
  end
  return found
end

local function run_places(fields, at)
  local start = places_of_order.behind_among(fields, at + 1)
  local order, refusal, parts = explain_places(fields, start)
  work.among = nil
  local wants = {}
  for i, want in ipairs(order.wants) do wants[i] = {want.sku, want.units} end
  local is_looked_at = not refusal or refusal[REFUSED_OUTCOME] ~= 'sourcing_incomplete'
  return explained(fields, start, refusal, parts, wants, is_looked_at and units_at_places(order) or NONE)
end

composite('explain_places', {prefetch = function(_, at) return at + 1 end, run = run_places})

register('explain_sourcing', function(args) return run(args) end, {'no-writes'})
