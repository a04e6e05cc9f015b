-- Reads whose breakers have changed in a shard since a cursor.
-- KEYS  1 changes (sorted set)  2 clock of the shard (hash)
-- ARGV  1 cursor, microseconds
-- returns { server, epoch or "", last or "", agent ids }
local clock = redis.call('hmget', KEYS[2], 'epoch', 'last')
return {
  server(),
  clock[1] or '',
  clock[2] or '',
  redis.call('zrangebyscore', KEYS[1], '(' .. ARGV[1], '+inf'),
}
