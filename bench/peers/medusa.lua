-- The load on Medusa: POST /admin/reservations, each of one unit of one inventory item.
--
-- wrk … -s bench/peers/medusa.lua URL -- RUN SKUS LOCATION TOKEN
--   RUN   not used: Medusa takes no id from the caller, so that no request can be a replay
--   SKUS  how many items the requests are spread over, at random; 1: all want the same
-- Prints one line of JSON behind "RESULT ".

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local skus, location = 1, ""

function init(args)
  skus, location = tonumber(args[2]), args[3]
  math.randomseed(number)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[4]
end

function request()
  local item = skus == 1 and 0 or math.random(0, skus - 1)
  return wrk.format(nil, nil, nil, string.format(
    '{"inventory_item_id":"iitem_BENCH-%07d","location_id":"%s","quantity":1}', item, location))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
