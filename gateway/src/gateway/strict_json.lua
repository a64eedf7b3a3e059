-- Refuses a JSON body with a field that its method does not know. Envoy's transcoder would drop such a field without
-- a word, and a misspelt option would look as if it had been obeyed. Malformed JSON passes: the transcoder refuses it,
-- except for names in other quotes or none, which it would take.
-- TYPES[message][field] is true, or the name of the message the field holds. ROUTES lists {method, pattern, message}.

local function after_space(text, at)
  return text:find("[^ \t\r\n]", at) or error("malformed")
end

-- `at` is the opening quote; returns what is between the quotes, as written, and the position after them.
local function read_string(text, at)
  local from = at + 1
  local stop = from
  while true do
    stop = text:find('["\\]', stop) or error("malformed")
    if text:byte(stop) == 34 then
      return text:sub(from, stop - 1), stop + 1
    end
    stop = stop + 2
  end
end

-- Not recursive: how deep foreign JSON nests must not matter here.
local function skip_value(text, at)
  local depth = 0
  repeat
    at = text:find('["{}%[%],]', at) or error("malformed")
    local char = text:sub(at, at)
    if char == '"' then
      at = select(2, read_string(text, at)) - 1
    elseif char == "{" or char == "[" then
      depth = depth + 1
    elseif depth == 0 then
      return at
    elseif char ~= "," then
      depth = depth - 1
    end
    at = at + 1
  until depth == 0 and char ~= ","
  return at
end

local check_value

local function check_message(text, at, message)
  at = after_space(text, at + 1)
  while text:sub(at, at) == '"' do
    local name
    name, at = read_string(text, at)
    local kind = TYPES[message][name]
    if not kind then
      error({ refusal = "UNKNOWN_FIELD", text = 'the body has the field "' .. name:sub(1, 100) .. '"' })
    end
    at = after_space(text, at)
    at = check_value(text, after_space(text, at + 1), kind)
    at = after_space(text, at)
    if text:sub(at, at) == "," then
      at = after_space(text, at + 1)
    end
  end
  if text:sub(at, at) ~= "}" then
    error({ refusal = "INVALID_JSON", text = "a name is not in double quotes" })
  end
  return at + 1
end

local function check_list(text, at, message)
  at = after_space(text, at + 1)
  while text:sub(at, at) ~= "]" do
    local after = check_value(text, at, message)
    -- Without progress, malformed input such as `[}` would keep this worker here for ever.
    if after == at then
      error("malformed")
    end
    at = after_space(text, after)
    if text:sub(at, at) == "," then
      at = after_space(text, at + 1)
    end
  end
  return at + 1
end

check_value = function(text, at, kind)
  local char = text:sub(at, at)
  if kind ~= true and char == "{" then
    return check_message(text, at, kind)
  elseif kind ~= true and char == "[" then
    return check_list(text, at, kind)
  end
  return skip_value(text, at)
end

local function find_message(method, path)
  for _, route in ipairs(ROUTES) do
    if route[1] == method and path:find(route[2]) then
      return route[3]
    end
  end
end

local function refuse(handle, refusal, text)
  -- Not from a variable: waiting for the body makes older handles stale.
  handle:headers():replace("x-docuchat-refusal", refusal)
  handle:respond({ [":status"] = "400" }, text)
end

-- Only gRPC callers have deadlines of their own; a malformed one would end as an error of gRPC's own (INTERNAL).
local function check_timeout(headers)
  local timeout = headers:get("grpc-timeout")
  if not timeout then
    return true
  elseif not (headers:get("content-type") or ""):find("^application/grpc") then
    headers:remove("grpc-timeout")
    return true
  end
  return #timeout <= 9 and timeout:find("^%d+[HMSmun]$")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if not check_timeout(headers) then
    refuse(handle, "INVALID_HTTP", "")
    return
  end
  local message = find_message(headers:get(":method"), headers:get(":path"):match("^[^?]*"))
  local body = message and handle:body()
  if not body then
    return
  end
  local text = body:getBytes(0, body:length())
  local passed, problem = pcall(function()
    return check_value(text, after_space(text, 1), message)
  end)
  if not passed and type(problem) == "table" then
    refuse(handle, problem.refusal, problem.text)
  end
end
