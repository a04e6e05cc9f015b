-- Changes the open slots of an agent. Those that are due end first, whatever is asked for.
-- KEYS  1 presence of the agent (hash)  2 its open slots (sorted set by end)
--       3 the first end of the slots of each agent (sorted set)  4 changes (sorted set)  5 clock of the shard (hash)
--       6 whose slots they are (hash: "=" and a slot id, the holder; "#" and a holder, how many are its), of those
--         holders that are bounded
-- ARGV  1 "acquire", "renew", "release" or "end" (only those that are due)  2 agent id  3 slot id  4 now, ms
--       5 end, ms  6 how long things are kept, ms, and to acquire:  7 what may be in flight  8 most open slots
--       9 "1": it takes work by what it declares  10 "1": only while it has a lease
--       11 the holder, or "" when it is not bounded  12 most open slots of the holder
--       13 how long a report holds without a lease, ms
-- returns "open:" and the end; "full"; "share" (the holder has its most); "unavailable"; "released"; or "none" (no such
--         slot is open)
local asked, agent_id, slot_id = ARGV[1], ARGV[2], ARGV[3]
local now, kept = tonumber(ARGV[4]), tonumber(ARGV[6])

local function gone(id)
  local holder = redis.call('hget', KEYS[6], '=' .. id)
  if not holder then return end
  redis.call('hdel', KEYS[6], '=' .. id)
  if redis.call('hincrby', KEYS[6], '#' .. holder, -1) <= 0 then redis.call('hdel', KEYS[6], '#' .. holder) end
end

local function acquire()
  if ARGV[9] ~= '1' then return 'unavailable' end
  local presence = redis.call('hmget', KEYS[1], 'in_flight', 'expire_ms', 'heard_ms')
  local reported, expire = tonumber(presence[1] or '0'), tonumber(presence[2] or '0')
  if ARGV[10] == '1' and expire <= now then return 'unavailable' end
  local lapse = expire > 0 and expire or tonumber(presence[3] or '0') + tonumber(ARGV[13])
  if lapse <= now then reported = 0 end
  local open = redis.call('zcard', KEYS[2])
  if reported + open >= tonumber(ARGV[7]) or open >= tonumber(ARGV[8]) then return 'full' end
  local holder = ARGV[11]
  if holder ~= '' then
    local held = tonumber(redis.call('hget', KEYS[6], '#' .. holder) or '0')
    if held >= tonumber(ARGV[12]) then return 'share' end
    redis.call('hset', KEYS[6], '=' .. slot_id, holder)
    redis.call('hincrby', KEYS[6], '#' .. holder, 1)
  end
  redis.call('zadd', KEYS[2], ARGV[5], slot_id)
  return 'open:' .. ARGV[5]
end

for _, id in ipairs(redis.call('zrangebyscore', KEYS[2], '-inf', ARGV[4])) do gone(id) end
local changed = redis.call('zremrangebyscore', KEYS[2], '-inf', ARGV[4]) > 0
local isEnding = asked == 'end'
local answer = 'none'
local ends = not isEnding and redis.call('zscore', KEYS[2], slot_id)
if asked == 'acquire' then
  answer = ends and 'open:' .. ends or acquire()
  changed = changed or (not ends and string.sub(answer, 1, 5) == 'open:')
elseif asked == 'renew' and ends then
  redis.call('zadd', KEYS[2], ARGV[5], slot_id)
  answer = 'open:' .. ARGV[5]
elseif asked == 'release' and ends then
  redis.call('zrem', KEYS[2], slot_id)
  gone(slot_id)
  answer = 'released'
  changed = true
end
if not changed and asked ~= 'renew' and not isEnding then return answer end
if changed then redis.call('hset', KEYS[1], 'slots_ms', ARGV[4]) end

local first = redis.call('zrange', KEYS[2], 0, 0, 'withscores')[2]
local life = kept
if first then
  local last = redis.call('zrange', KEYS[2], -1, -1, 'withscores')[2]
  life = math.max(0, tonumber(last) - now) + kept
  redis.call('zadd', KEYS[3], first, agent_id)
  redis.call('pexpire', KEYS[3], kept * 2)
  redis.call('pexpire', KEYS[2], string.format('%.0f', life))
  redis.call('pexpire', KEYS[6], string.format('%.0f', life))
  redis.call('hset', KEYS[1], 'open_slots', redis.call('zcard', KEYS[2]))
else
  redis.call('zrem', KEYS[3], agent_id)
  redis.call('hdel', KEYS[1], 'open_slots')
  redis.call('del', KEYS[6])
end
if redis.call('pttl', KEYS[1]) < life then
  redis.call('pexpire', KEYS[1], string.format('%.0f', life))
end
if changed then tell(KEYS[4], KEYS[5], agent_id, kept) end
return answer
