-- explain_sourcing: chooses locations as a sourced order would and returns what each candidate has. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] questions, MessagePack values one after the other: the fields of a source
--       (lib/sourced_orders.lua) with the tag "explain", then the fields of the reserve that is to be explained
-- Reply for each question, in order, MessagePack [now_ms, outcome, parts, wants, candidates]
--         outcome     "chosen", or that of the refusal
--         parts       [[line, location, units], …]
--         wants       [[sku, units], …]
--         candidates  [[name, [units of each want]], …], the best first
--
-- An order that runs short expires due holds first. Nothing may be written here, so their units count as held.

local function explain(fields, at)
  local refusal, parts, wants, candidates = sourcing.explain(fields, at)
  local following = last_line(fields, sourcing.reservation_at(fields, at)) + LINE_LENGTH
  return pack({NOW_MS, refusal and refusal[REFUSED_OUTCOME] or 'chosen', parts, wants, candidates}), following
end

composite('explain', {prefetch = sourcing.prefetch, run = explain})

register('explain_sourcing', function(args) return run(args) end, {'no-writes'})
