-- Decides from the headers alone whether a request may come in, before a byte of its body is kept.
-- What a route asks of its callers stands in its metadata: `token` (true where one is needed), `body_bytes`, and
-- `counted_as`, the limit that a call counts against.

local UNJUDGED = { ["Jwks remote fetch is failed"] = true, ["Jwks doesn't have key to match kid or alg from Jwt"] = true }

local function refuse(handle, status, refusal)
  handle:headers():replace("x-docuchat-refusal", refusal)
  handle:respond({ [":status"] = status }, "")
end

-- Only segments that are plainly no secret are written down: words of the API, its version, and ids.
local function show_segment(segment)
  local id = #segment >= 36 and segment:find("^%x+%-%x+%-%x+%-%x+%-%x+[%l:]*$")
  local word = #segment <= 40 and (segment:find("^[%l.:-]+$") or segment:find("^v%d$"))
  return (id or word) and segment or "*"
end

local function write_down_path(handle, path)
  local shown = path:match("^[^?#]*"):gsub("[^/]+", show_segment)
  handle:streamInfo():dynamicMetadata():set("docuchat", "path", shown:sub(1, 200))
end

local function is_grpc(headers)
  return (headers:get("content-type") or ""):find("^application/grpc") ~= nil
end

-- Only gRPC callers have deadlines of their own; a malformed one would end as an error of gRPC's own (INTERNAL).
local function has_bad_timeout(headers)
  local timeout = headers:get("grpc-timeout")
  if timeout and not is_grpc(headers) then
    headers:remove("grpc-timeout")
    return false
  end
  return timeout and not (#timeout <= 9 and timeout:find("^%d+[HMSmun]$"))
end

-- Envoy joins several Host lines with commas; which of them counts is what hops disagree about.
local function has_bad_host(headers)
  return headers:get(":authority"):find("[,%s]") ~= nil
end

-- Returns what is wrong with the caller's token, or nil. Where Envoy has not got the key, the service decides.
local function find_token_problem(handle, headers)
  local sent = headers:get("authorization")
  if not sent or sent == "" then
    return "TOKEN_MISSING"
  elseif not sent:find("^[Bb][Ee][Aa][Rr][Ee][Rr] ") then
    return "TOKEN_WITHOUT_BEARER"
  elseif not sent:find("^%a+ +[%w_-]+%.[%w_-]+%.[%w_-]+ *$") then
    return "TOKEN_INVALID"
  end
  local verdict = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local failure = verdict and verdict["failure"]
  if not failure or UNJUDGED[failure.message] then
    return nil
  end
  return failure.message == "Jwt is expired" and "TOKEN_EXPIRED" or "TOKEN_INVALID"
end

-- Says as what and of whom a call counts: a user or an API key, by a token that was verified, or else an address.
local function write_down_count(handle, counted_as)
  local metadata = handle:streamInfo():dynamicMetadata()
  local verdict = metadata:get("envoy.filters.http.jwt_authn")
  local claims = verdict and verdict["claims"]
  if counted_as == "logins" or not (claims and claims.tid and claims.sub) then
    metadata:set("docuchat.counted", "of_address", counted_as)
  else
    metadata:set("docuchat.counted", "of_caller", claims.key and "api_key" or counted_as)
    metadata:set("docuchat.counted", "caller", claims.tid .. "/" .. (claims.key or claims.sub))
  end
end

function envoy_on_request(handle)
  local headers, route = handle:headers(), handle:metadata()
  write_down_path(handle, headers:get(":path"))
  local length, limit = headers:get("content-length"), route:get("body_bytes")
  local problem = route:get("token") and find_token_problem(handle, headers)
  if has_bad_timeout(headers) then
    refuse(handle, "400", "INVALID_TIMEOUT")
  elseif has_bad_host(headers) then
    refuse(handle, "400", "INVALID_HTTP")
  elseif problem then
    refuse(handle, "401", problem)
  elseif length and limit and tonumber(length) > limit then
    refuse(handle, "413", "BODY_TOO_LARGE")
  elseif route:get("counted_as") then
    write_down_count(handle, route:get("counted_as"))
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  -- Envoy leaves the type out where there is no body; clients of gRPC-Web look at it first.
  if headers:get("grpc-status") and not headers:get("content-type") then
    headers:add("content-type", "application/grpc-web+proto")
  end
  local is_exhausted = headers:get(":status") == "429" or headers:get("grpc-status") == "8"
  if is_exhausted and headers:get("x-ratelimit-remaining") == "0" and not headers:get("retry-after") then
    headers:add("retry-after", headers:get("x-ratelimit-reset"))
  end
  -- RFC 9110, section 11.6.1: whoever is refused for want of credentials is told which kind is taken.
  if headers:get(":status") == "401" then
    headers:replace("www-authenticate", "Bearer")
  end
end
