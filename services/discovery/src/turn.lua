-- Moves the cursor of one rotation, if it stands where the caller believes it does. Who has lost too often claims the
-- next move: until it is made, or the claim lapses, nobody else moves.
--
-- KEYS[1]  the cursor: a string that lives for a while after each move
-- KEYS[2]  the claim: the replica that moves next
-- ARGV[1]  where the caller believes the cursor stands; "" for nowhere
-- ARGV[2]  where it goes
-- ARGV[3]  how long it lives from now, in milliseconds
-- ARGV[4]  the replica
-- ARGV[5]  how long its claim lives, in milliseconds; "0" when it makes none
-- Returns  {1, ARGV[2]} when moved, {0, where it stands} when another was faster ("" for nowhere),
--          {2, where it stands} when another has claimed the next move
local cursor = redis.call("GET", KEYS[1]) or ""
local claimant = redis.call("GET", KEYS[2])
if claimant and claimant ~= ARGV[4] then
  return { 2, cursor }
end
if cursor ~= ARGV[1] then
  if ARGV[5] ~= "0" then
    redis.call("SET", KEYS[2], ARGV[4], "PX", ARGV[5])
  end
  return { 0, cursor }
end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
if claimant then
  redis.call("DEL", KEYS[2])
end
return { 1, ARGV[2] }
