-- explain_sourcing: chooses locations as a sourced order would, and shows what each candidate has. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits, [2] what a source (lib/sourced_orders.lua) has, under the tag explain, and behind it the reserve that
--       is to be explained; as often as wanted
-- Reply for each, in order, MessagePack [now_ms, outcome ("chosen", or that of the refusal), parts [[line, location, units],
--       …], wants [[sku, units], …], candidates [[name, [units of each want], …], …], best first]
--
-- An order that runs short first ends holds that are due. Nothing may be written here, so their units count as held.

local function explain(fields, at)
  local refusal, parts, wants, candidates = sourcing.explain(fields, at)
  local following = last_line(fields, sourcing.promise_at(fields, at)) + LINE_LENGTH
  return pack({NOW_MS, refusal and refusal[2] or 'chosen', parts, wants, candidates}), following
end

composite('explain', {prefetch = sourcing.prefetch, run = explain})

register('explain_sourcing', function(args) return run(args) end, {'no-writes'})
