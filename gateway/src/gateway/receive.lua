-- Looks at a body once it is whole: JSON is checked against what its method knows, gRPC must be one whole message.
-- The route's metadata says which: `message` is the full name of the type a JSON body holds, `frame` asks for one message.

local function refuse(handle, refusal, text)
  -- Not from a variable: waiting for the body makes older handles stale.
  handle:headers():replace("x-docuchat-refusal", refusal)
  handle:respond({ [":status"] = "400" }, text)
end

local function receive_json(handle, message)
  local body = handle:body()
  local problem = body and find_problem(body:getBytes(0, body:length()), message)
  if problem then
    refuse(handle, problem.refusal, problem.text)
  end
end

-- A service would wait for the rest of a message that is cut short until its time is over.
local function receive_frame(handle)
  local body = handle:body()
  local size = body and body:length() or 0
  if size >= 5 then
    local first, second, third, fourth = body:getBytes(1, 4):byte(1, 4)
    if size == 5 + ((first * 256 + second) * 256 + third) * 256 + fourth then
      return
    end
  end
  refuse(handle, "INVALID_MESSAGE", "")
end

function envoy_on_request(handle)
  local route = handle:metadata()
  local message = route:get("message")
  if message then
    receive_json(handle, message)
  elseif route:get("frame") then
    receive_frame(handle)
  end
end
