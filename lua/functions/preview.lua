-- preview: answers what a batch of movements of stock would be answered, and changes nothing. Flag no-writes.
--
-- KEYS  as those of mutate_creating
-- ARGV  as those of mutate_creating
-- Reply as that of mutate_creating, from the same handlers
--
-- Operations of one call see what those before them would change; those of the next call do not.

register('preview', function(args, keys)
  likeness.begin(keys[11])
  return run(args, nil, true)
end, {'no-writes'}, true)
