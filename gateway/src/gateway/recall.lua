-- Remembers for two seconds what auth has traded, so that a busy API key is not asked about with every request.
-- TENANT and END_USER, the names of two headers, are set above.

local KEEP_SECONDS, MOST = 2, 1000
local remembered, count = {}, 0

local function show(headers, name)
  local value = headers:get(name)
  return value and ("=" .. value) or ""
end

-- Returns all that auth would judge by, or nil where there is nothing to ask, or something came twice.
local function find_shown(headers)
  local credential = headers:get("authorization") or ""
  local selects = headers:getNumValues(TENANT) + headers:getNumValues(END_USER)
  if headers:getNumValues(TENANT) > 1 or headers:getNumValues(END_USER) > 1 then
    return nil
  elseif selects > 0 or credential:find("^[Bb][Ee][Aa][Rr][Ee][Rr] +dck_") then
    return table.concat({ credential, show(headers, TENANT), show(headers, END_USER) }, "\n")
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local shown = find_shown(headers)
  local found = shown and remembered[shown]
  if found and os.time() < found.ends then
    headers:replace("authorization", found.authorization)
    headers:remove(TENANT)
    headers:remove(END_USER)
  elseif shown then
    local metadata = handle:streamInfo():dynamicMetadata()
    metadata:set("docuchat.recall", "shown", shown)
    metadata:set("docuchat.recall", "ends", os.time() + KEEP_SECONDS)
  end
end

-- Only what auth has traded is remembered, and from the moment of the question on.
function envoy_on_response(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local asked = metadata:get("docuchat.recall")
  local traded = asked and metadata:get("envoy.filters.http.ext_authz")
  if not (traded and traded["authorization"]) then
    return
  end
  if count >= MOST then
    remembered, count = {}, 0
  end
  count = count + (remembered[asked["shown"]] and 0 or 1)
  remembered[asked["shown"]] = { authorization = traded["authorization"], ends = asked["ends"] }
end
