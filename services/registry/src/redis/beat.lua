-- Writes a sign of life, and tells watchers when it is news to them (the rule of availability.ts, isNews).
-- KEYS  1 presence of the agent (hash)  2 ends of leases (sorted set)  3 changes (sorted set)
--       4 clock of the shard (hash)  5 ends of what was reported without a lease (sorted set)
-- ARGV  1 agent id  2 now, ms  3 work in flight  4 queue length  5 utilization, millionths (each "": as before)
--       6 end of the lease, ms, or 0  7 "1": what was reported before is forgotten  8 how long things are kept, ms
--       9 how long a report holds without a lease, ms
-- returns { in flight, queue length, utilization or "", open slots, when these changed, ms, or 0 }
local agent_id = ARGV[1]
local now = tonumber(ARGV[2])
local expire = tonumber(ARGV[6])
local kept = tonumber(ARGV[8])

-- When what was reported is forgotten; 0: never (the rule of availability.ts, lapseMsOf).
local function lapse_of(load, expire, heard)
  if expire > 0 then return expire end
  if load[1] == '0' and load[2] == '0' and (tonumber(load[3]) or 0) == 0 then return 0 end
  return heard + tonumber(ARGV[9])
end

local before = redis.call('hmget', KEYS[1], 'in_flight', 'queue_length', 'utilization_ppm',
  'expire_ms', 'told_ms', 'told_utilization_ppm', 'open_slots', 'slots_ms', 'heard_ms')
local was = tonumber(before[4] or '0')
local told = tonumber(before[5] or '0')
local told_utilization = tonumber(before[6] or '0')

local was_load = { before[1] or '0', before[2] or '0', before[3] or '' }
local was_lapse = lapse_of(was_load, was, tonumber(before[9] or '0'))
local lapsed = was_lapse > 0 and was_lapse <= now
local load = { '0', '0', '' }
for i = 1, 3 do
  if ARGV[2 + i] ~= '' then
    load[i] = ARGV[2 + i]
  elseif not lapsed and ARGV[7] ~= '1' then
    load[i] = was_load[i]
  end
end
local utilization = tonumber(load[3]) or 0

local news
if lapsed or load[1] ~= was_load[1] or load[2] ~= was_load[2] then
  news = true
elseif math.abs(utilization - told_utilization) >= 100000 then
  news = true
elseif expire == 0 or was == 0 then
  news = expire ~= was
else
  news = expire < told or (expire - told) * 4 >= expire - now
end
if news then
  told = expire
  told_utilization = utilization
end

redis.call('hset', KEYS[1], 'in_flight', load[1], 'queue_length', load[2],
  'utilization_ppm', load[3], 'expire_ms', ARGV[6], 'told_ms', string.format('%.0f', told),
  'told_utilization_ppm', string.format('%.0f', told_utilization), 'heard_ms', ARGV[2])
redis.call('pexpireat', KEYS[1], string.format('%.0f', math.max(now, expire) + kept))

if expire > 0 then
  redis.call('zadd', KEYS[2], ARGV[6], agent_id)
  redis.call('pexpire', KEYS[2], kept * 2)
else
  redis.call('zrem', KEYS[2], agent_id)
end
local lapse = lapse_of(load, expire, now)
if expire == 0 and lapse > 0 then
  redis.call('zadd', KEYS[5], string.format('%.0f', lapse), agent_id)
  redis.call('pexpire', KEYS[5], kept * 2)
elseif was == 0 then
  redis.call('zrem', KEYS[5], agent_id)
end

if news then
  tell(KEYS[3], KEYS[4], agent_id, kept)
  local old = string.format('%.0f', now - kept)
  redis.call('zremrangebyscore', KEYS[2], '-inf', old)
  redis.call('zremrangebyscore', KEYS[5], '-inf', old)
end
return { load[1], load[2], load[3], before[7] or '0', before[8] or '0' }
