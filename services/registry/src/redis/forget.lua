-- Forgets an agent and its slots.
-- KEYS  1 presence of the agent  2 its open slots  3 ends of leases  4 changes
--       5 the first end of the slots of each agent
-- ARGV  1 agent id
redis.call('del', KEYS[1], KEYS[2])
for i = 3, 5 do redis.call('zrem', KEYS[i], ARGV[1]) end
return 1
