-- note_batch: remembers the fingerprint of a batch under its key, before the first of its elements is carried out.
--
-- Fields  NoteBatch in server/domain/operations/batches.py
-- Effect  the key is remembered; lib/batch.lua does that, and refuses the key with another fingerprint
-- Answers batch_noted · id_reused

operation('note_batch', function() return {'batch_noted', false} end)
