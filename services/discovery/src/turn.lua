-- Moves the cursor of one rotation, if it stands where the caller believes it does. Who has lost too often claims the
-- next move: until it is made, or the claim lapses, nobody else moves. A move that is sent again is made once.
-- One key only: while its hash slot moves to another node of a cluster, the script finds it here or there.
--
-- KEYS[1]  a hash that lives for a while after each move: the cursor, by replica the number of its latest move, and
--          who has claimed the next move, until when, in milliseconds
-- ARGV[1]  where the caller believes the cursor stands; "" for nowhere
-- ARGV[2]  where it goes
-- ARGV[3]  how long it lives from now, in milliseconds
-- ARGV[4]  the replica
-- ARGV[5]  how long its claim lives, in milliseconds; "0" when it makes none
-- ARGV[6]  the number of the move; those of a replica grow
-- Returns  {1, ARGV[2]} when moved, now or before, {0, where it stands} when another was faster ("" for nowhere),
--          {2, where it stands} when another has claimed the next move

-- Replicas come and go, and each leaves its number behind: then those of all are forgotten.
local REPLICAS_MAX = 256

local stands = redis.call("HMGET", KEYS[1], "cursor", ARGV[4], "claimant", "claimed_ms")
local cursor = stands[1] or ""
local latest, claimant = stands[2], stands[3]
if latest and tonumber(latest) >= tonumber(ARGV[6]) then
  return { 1, ARGV[2] }
end
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if claimant and claimant ~= ARGV[4] and now < tonumber(stands[4]) then
  return { 2, cursor }
end
if cursor ~= ARGV[1] then
  if ARGV[5] ~= "0" and cursor ~= "" then
    local until_ms = string.format("%.0f", now + tonumber(ARGV[5]))
    redis.call("HSET", KEYS[1], "claimant", ARGV[4], "claimed_ms", until_ms)
  end
  return { 0, cursor }
end
if not latest and redis.call("HLEN", KEYS[1]) > REPLICAS_MAX then
  redis.call("DEL", KEYS[1])
end
redis.call("HSET", KEYS[1], "cursor", ARGV[2], ARGV[4], ARGV[6])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
if claimant then
  redis.call("HDEL", KEYS[1], "claimant", "claimed_ms")
end
return { 1, ARGV[2] }
