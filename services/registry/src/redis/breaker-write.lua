-- Writes a breaker if it is still as it was read, and a change for watchers when it is news to them.
-- KEYS  1 breakers of the agent (hash: capability, JSON)  2 changes (sorted set)  3 clock of the shard (hash)
-- ARGV  1 agent id  2 capability  3 as it was read, or ""  4 as it is to be  5 how long it is remembered, ms
--       6 how long changes are kept, ms  7 "1" when it is news
-- returns "" when it is written, else as it is
local is = redis.call('hget', KEYS[1], ARGV[2]) or ''
if is ~= ARGV[3] then return is end
redis.call('hset', KEYS[1], ARGV[2], ARGV[4])
redis.call('pexpire', KEYS[1], ARGV[5])
if ARGV[7] == '1' then
  local kept = tonumber(ARGV[6])
  -- Later than every change before, and near the time of day: so it serves as a cursor and as a date.
  local time = redis.call('time')
  local last = tonumber(redis.call('hget', KEYS[3], 'last') or '0')
  local at = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), last + 1)
  local stamp = string.format('%.0f', at)
  redis.call('hset', KEYS[3], 'last', stamp)
  redis.call('hsetnx', KEYS[3], 'epoch', stamp)
  redis.call('pexpire', KEYS[3], kept * 2)
  redis.call('zadd', KEYS[2], stamp, ARGV[1])
  redis.call('zremrangebyscore', KEYS[2], '-inf', string.format('%.0f', at - kept * 1000))
  redis.call('pexpire', KEYS[2], kept)
end
return ''
