-- note_order: writes the record of a channel's order where no operation is needed for that, see lib/order_notes.lua.
--
-- Fields  NoteOrder in server/domain/operations/orders.py
-- Effect  none: what stands in front of it writes the record
-- Answers order_noted

operation('note_order', function() return {'order_noted', false} end)
