-- Checks a JSON body (RFC 8259) against what its method knows. Envoy's transcoder drops a field it does not know without
-- a word, takes the last of two fields of one name, and takes much that is not JSON; a misspelt option would look as if
-- it had been obeyed. What the transcoder refuses by itself, such as a value of the wrong type, is left to it.
-- TYPES[message][name] is {the field's own name, the name of the message it holds or false}.
-- Bytes are compared one by one: that is what the just-in-time compiler is fast at, and no input makes it slower.

local byte, find, sub = string.byte, string.find, string.sub
local MAX_DEPTH, MAX_VALUES = 64, 20000

local function bytes_of(characters)
  local found = {}
  for character in characters:gmatch(".") do
    found[byte(character)] = true
  end
  return found
end

local SPACE, ESCAPED, HEX = bytes_of(" \t\r\n"), bytes_of('"\\/bfnrt'), bytes_of("0123456789abcdefABCDEF")
local QUOTE, BACKSLASH, COMMA, COLON, U = 34, 92, 44, 58, 117
local OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125

local function refuse(text, at)
  error({ refusal = "INVALID_JSON", text = text .. " at byte " .. at })
end

local function after_space(text, at)
  while SPACE[byte(text, at)] do
    at = at + 1
  end
  return at
end

local function skip_escape(text, at)
  local code = byte(text, at + 1)
  if ESCAPED[code] then
    return at + 2
  end
  local a, b, c, d = byte(text, at + 2, at + 5)
  if code ~= U or not (HEX[a] and HEX[b] and HEX[c] and HEX[d]) then
    refuse("an escape that JSON does not have", at)
  end
  return at + 6
end

-- `at` is the opening quote; returns the position after the closing one.
local function skip_string(text, at)
  at = at + 1
  local code = byte(text, at)
  while code ~= QUOTE do
    if not code then
      refuse("a string that does not end", at)
    elseif code < 32 then
      refuse("a raw control character in a string", at)
    end
    at = code == BACKSLASH and skip_escape(text, at) or at + 1
    code = byte(text, at)
  end
  return at + 1
end

local function skip_number(text, at)
  local _, last = find(text, "^-?%d+", at)
  if not last or find(text, "^-?0%d", at) then
    refuse("a value that is not JSON", at)
  end
  local _, fraction = find(text, "^%.%d+", last + 1)
  last = fraction or last
  local _, exponent = find(text, "^[eE][+-]?%d+", last + 1)
  return (exponent or last) + 1
end

local function skip_literal(text, at)
  for _, word in ipairs({ "true", "false", "null" }) do
    if sub(text, at, at + #word - 1) == word then
      return at + #word
    end
  end
  return skip_number(text, at)
end

-- After a value: the position of the next one, or nothing and the position after the closing bracket.
local function next_item(text, at, close)
  at = after_space(text, at)
  local code = byte(text, at)
  if code == close then
    return nil, at + 1
  elseif code ~= COMMA then
    refuse("no comma and no closing bracket", at)
  end
  return after_space(text, at + 1)
end

local check_value

local function check_name(text, at, fields, seen)
  if byte(text, at) ~= QUOTE then
    refuse("a name that is not in double quotes", at)
  end
  local after = skip_string(text, at)
  local name = sub(text, at + 1, after - 2)
  local field = fields and fields[name]
  if fields and not field then
    error({ refusal = "UNKNOWN_FIELD", text = 'the body has the field "' .. sub(name, 1, 100) .. '"' })
  end
  local known = field and field[1] or name
  if seen[known] then
    refuse('the field "' .. sub(known, 1, 100) .. '" a second time', at)
  end
  seen[known] = true
  return after, field and field[2]
end

local function check_object(text, at, message, budget, depth)
  local fields, seen, after = message and TYPES[message], {}, nil
  at = after_space(text, at + 1)
  if byte(text, at) == CLOSE_OBJECT then
    return at + 1
  end
  while at do
    local kind
    at, kind = check_name(text, at, fields, seen)
    at = after_space(text, at)
    if byte(text, at) ~= COLON then
      refuse("no colon after a name", at)
    end
    at = check_value(text, after_space(text, at + 1), kind, budget, depth)
    at, after = next_item(text, at, CLOSE_OBJECT)
  end
  return after
end

local function check_list(text, at, message, budget, depth)
  local after
  at = after_space(text, at + 1)
  if byte(text, at) == CLOSE_LIST then
    return at + 1
  end
  while at do
    at = check_value(text, at, message, budget, depth)
    at, after = next_item(text, at, CLOSE_LIST)
  end
  return after
end

check_value = function(text, at, message, budget, depth)
  local code = byte(text, at)
  budget.values = budget.values + 1
  if depth > MAX_DEPTH or budget.values > MAX_VALUES then
    refuse("more than " .. MAX_DEPTH .. " levels or " .. MAX_VALUES .. " values", at)
  elseif code == QUOTE then
    return skip_string(text, at)
  elseif code == OPEN_OBJECT then
    return check_object(text, at, message, budget, depth + 1)
  elseif code == OPEN_LIST then
    return check_list(text, at, message, budget, depth + 1)
  elseif not code then
    refuse("the body ends too early", at)
  end
  return skip_literal(text, at)
end

local function check_body(text, message)
  local at = after_space(text, 1)
  if byte(text, at) ~= OPEN_OBJECT then
    refuse("no object", at)
  end
  at = after_space(text, check_value(text, at, message, { values = 0 }, 0))
  if at <= #text then
    refuse("something after the object", at)
  end
end

-- Returns what is wrong with the body as {refusal, text}, or nil.
local function find_problem(text, message)
  local passed, problem = pcall(check_body, text, message)
  if passed then
    return nil
  end
  return type(problem) == "table" and problem or error(problem)
end
