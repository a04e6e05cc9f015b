-- Forgets an agent and its slots.
-- KEYS  1 presence of the agent  2 its open slots  3 whose they are  4 ends of leases  5 changes
--       6 the first end of the slots of each agent  7 ends of reports
-- ARGV  1 agent id
redis.call('del', KEYS[1], KEYS[2], KEYS[3])
for i = 4, 7 do redis.call('zrem', KEYS[i], ARGV[1]) end
return 1
