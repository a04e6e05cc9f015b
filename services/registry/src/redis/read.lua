-- Reads what is known of agents of one shard.
-- KEYS  presences of agents
-- ARGV  names of fields
-- Returns for each that is known the values of its fields, and which of KEYS it is, from 1 on.
local known = {}
for nth, key in ipairs(KEYS) do
  if redis.call('exists', key) == 1 then
    local values = redis.call('hmget', key, unpack(ARGV))
    values[#ARGV + 1] = tostring(nth)
    known[#known + 1] = values
  end
end
return known
