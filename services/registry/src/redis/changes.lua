-- Reads what has changed in a shard since a cursor, which leases and reports lapsed in a span of time, and whose slots
-- are due. Notes that somebody looks: a time in which no replica did is one in which no agent could be heard of.
-- KEYS  1 ends of leases (sorted set)  2 changes (sorted set)  3 clock of the shard (hash)
--       4 the first end of the slots of each agent (sorted set)  5 ends of reports (sorted set)
--       6 when it was last looked at, and the latest time in which it was not (hash)
-- ARGV  1 cursor, microseconds  2 after, ms  3 until, ms  4 now, ms  5 most agents whose slots are due
--       6 how long nobody may look, ms  7 how long things are kept, ms
-- returns { server, epoch or "", last or "", ids of agents that changed, whose lease lapsed, whose slots are due, whose
--         report lapsed, that time: its name, and how long ago it began and ended, ms, each "" for none }
local time = redis.call('time')
local at = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local looked = redis.call('hmget', KEYS[6], 'at', 'since', 'until')
if looked[1] and at - tonumber(looked[1]) > tonumber(ARGV[6]) then
  looked[2], looked[3] = looked[1], string.format('%.0f', at)
  redis.call('hset', KEYS[6], 'since', looked[2], 'until', looked[3])
end
redis.call('hset', KEYS[6], 'at', string.format('%.0f', at))
redis.call('pexpire', KEYS[6], ARGV[7])
local function ago(ms)
  return ms and string.format('%.0f', at - tonumber(ms)) or ''
end

local clock = redis.call('hmget', KEYS[3], 'epoch', 'last')
return {
  server(),
  clock[1] or '',
  clock[2] or '',
  redis.call('zrangebyscore', KEYS[2], '(' .. ARGV[1], '+inf'),
  redis.call('zrangebyscore', KEYS[1], '(' .. ARGV[2], ARGV[3]),
  redis.call('zrangebyscore', KEYS[4], '-inf', ARGV[4], 'limit', 0, ARGV[5]),
  redis.call('zrangebyscore', KEYS[5], '(' .. ARGV[2], ARGV[3]),
  { looked[3] or '', ago(looked[2]), ago(looked[3]) },
}
