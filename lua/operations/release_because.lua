-- release_because: a release, and why.
--
-- Fields  ReleaseBecause in server/domain/operations/reservations.py: those of a release, and behind them the reason
-- Effect  as of a release; the journal has the reason
-- Answers as of a release

-- A release stays as short as it is: its handler knows no reason. Its change is the first that it adds, in one part,
-- and ends in its notes, of which it has none.
local function release_because(fields, at)
  local place = #change_parts + 1
  local answer = operations.release(fields, at)
  local change = change_parts[place]
  if change and answer[1] == 'changed' then
    change_parts[place] = change:sub(1, -2) .. pack({{'reason', fields[at + ReleaseBecause.reason]}})
  end
  return answer
end

operation('release_because', release_because)
