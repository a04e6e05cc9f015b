-- Moves the cursor of one rotation, if it stands where the caller believes it does.
--
-- KEYS[1]  the cursor: a string that lives for a while after each turn
-- ARGV[1]  where the caller believes it stands; "" for nowhere
-- ARGV[2]  where it goes
-- ARGV[3]  how long it lives from now, in milliseconds
-- Returns  {1, ARGV[2]} when moved, {0, where it stands} when another was faster ("" for nowhere)
local cursor = redis.call("GET", KEYS[1]) or ""
if cursor ~= ARGV[1] then
  return { 0, cursor }
end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return { 1, ARGV[2] }
