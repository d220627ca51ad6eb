#!lua flags=allow-oom
-- Ends holds whose deadline has passed, the longest overdue first. Called by the sweeper.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits (MessagePack); reap_max bounds how many holds one call ends
-- Reply MessagePack: [more, [lateness_ms, …]]
--         more        whether holds remain that are due now
--         lateness_ms for each hold ended: now minus its deadline
--
-- @include lib/context
-- @include lib/stock
-- @include lib/reservations
-- @include lib/journal
-- @include lib/on_hand_log
-- @include lib/lapse
-- @include lib/idempotency
-- @include lib/write

local lateness_ms = reap()
write()
return cmsgpack.pack({more_due, lateness_ms})
