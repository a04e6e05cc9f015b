-- Reads what has changed in a shard since a cursor, and which leases lapsed in a span of time.
-- KEYS  1 ends of leases (sorted set)  2 changes (sorted set)  3 clock of the shard (hash)
-- ARGV  1 cursor, microseconds  2 after, ms  3 until, ms
-- returns { epoch or "", last or "", changed agent ids, lapsed agent ids }
local clock = redis.call('hmget', KEYS[3], 'epoch', 'last')
return {
  clock[1] or '',
  clock[2] or '',
  redis.call('zrangebyscore', KEYS[2], '(' .. ARGV[1], '+inf'),
  redis.call('zrangebyscore', KEYS[1], '(' .. ARGV[2], ARGV[3]),
}
