-- Reads what has changed in a shard since a cursor, which leases and reports lapsed in a span of time, and whose slots
-- are due.
-- KEYS  1 ends of leases (sorted set)  2 changes (sorted set)  3 clock of the shard (hash)
--       4 the first end of the slots of each agent (sorted set)  5 ends of reports (sorted set)
-- ARGV  1 cursor, microseconds  2 after, ms  3 until, ms  4 now, ms  5 most agents whose slots are due
-- returns { server, epoch or "", last or "", ids of agents that changed, whose lease lapsed, whose slots are due, whose
--         report lapsed }
local clock = redis.call('hmget', KEYS[3], 'epoch', 'last')
return {
  server(),
  clock[1] or '',
  clock[2] or '',
  redis.call('zrangebyscore', KEYS[2], '(' .. ARGV[1], '+inf'),
  redis.call('zrangebyscore', KEYS[1], '(' .. ARGV[2], ARGV[3]),
  redis.call('zrangebyscore', KEYS[4], '-inf', ARGV[4], 'limit', 0, ARGV[5]),
  redis.call('zrangebyscore', KEYS[5], '(' .. ARGV[2], ARGV[3]),
}
