-- Writes a sign of life, and a change for watchers when it is news to them (the rule of availability.ts, isNews).
-- KEYS  1 presence of the agent (hash)  2 ends of leases (sorted set)  3 changes (sorted set)
--       4 clock of the shard (hash)
-- ARGV  1 agent id  2 now, ms  3 tasks in flight, or ""  4 end of the lease, ms, or 0  5 how long things are kept, ms
-- returns the tasks in flight
local agent_id = ARGV[1]
local now = tonumber(ARGV[2])
local expire = tonumber(ARGV[4])
local kept = tonumber(ARGV[5])

local before = redis.call('hmget', KEYS[1], 'in_flight', 'expire_ms', 'told_ms')
local was_in_flight = before[1] or '0'
local was = tonumber(before[2] or '0')
local told = tonumber(before[3] or '0')
local in_flight = was_in_flight
if ARGV[3] ~= '' then in_flight = ARGV[3] end

local news
if in_flight ~= was_in_flight then
  news = true
elseif expire == 0 or was == 0 then
  news = expire ~= was
else
  news = was <= now or expire < told or (expire - told) * 4 >= expire - now
end
if news then told = expire end

redis.call('hset', KEYS[1], 'in_flight', in_flight, 'expire_ms', ARGV[4],
  'told_ms', string.format('%.0f', told), 'heard_ms', ARGV[2])
redis.call('pexpireat', KEYS[1], string.format('%.0f', math.max(now, expire) + kept))

if expire > 0 then
  redis.call('zadd', KEYS[2], ARGV[4], agent_id)
  redis.call('pexpire', KEYS[2], kept * 2)
else
  redis.call('zrem', KEYS[2], agent_id)
end

if news then
  -- Later than every change before, and near the time of day: so it serves as a cursor and as a date.
  local time = redis.call('time')
  local last = tonumber(redis.call('hget', KEYS[4], 'last') or '0')
  local at = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), last + 1)
  local stamp = string.format('%.0f', at)
  redis.call('hset', KEYS[4], 'last', stamp)
  redis.call('hsetnx', KEYS[4], 'epoch', stamp)
  redis.call('pexpire', KEYS[4], kept * 2)
  redis.call('zadd', KEYS[3], stamp, agent_id)
  redis.call('zremrangebyscore', KEYS[3], '-inf', string.format('%.0f', at - kept * 1000))
  redis.call('pexpire', KEYS[3], kept)
  redis.call('zremrangebyscore', KEYS[2], '-inf', string.format('%.0f', now - kept))
end
return in_flight
