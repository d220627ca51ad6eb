#!lua flags=allow-oom
-- Runs a batch of operations on promises that exist. A full store must still let go, hence allow-oom:
-- each of them gives memory back or takes next to none.
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
-- @include lib/parts
-- @include operations/extend
-- @include operations/commit
-- @include operations/release
-- @include operations/cancel
-- @include operations/fulfil
-- @include lib/write
-- @include lib/run

return run({
  extend = extend,
  commit = commit,
  release = release,
  cancel = cancel,
  fulfil = fulfil,
})
