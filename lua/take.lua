#!lua
-- Runs a batch of operations that need memory: they add promises, stock or keys. A full store refuses them whole.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits, [2] operations; both MessagePack, see lib/context.lua and lib/run.lua
-- Reply MessagePack: one answer for each operation, in order
--
-- @include lib/context
-- @include lib/stock
-- @include lib/reservations
-- @include lib/journal
-- @include lib/on_hand_log
-- @include lib/lapse
-- @include lib/grant
-- @include lib/idempotency
-- @include lib/answers
-- @include operations/reserve
-- @include operations/receive
-- @include operations/adjust
-- @include operations/count
-- @include lib/write
-- @include lib/run

return run({
  reserve = reserve,
  order = order,
  receive = receive,
  adjust = adjust,
  count = count,
})
