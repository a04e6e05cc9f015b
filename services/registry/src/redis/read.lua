-- Reads what is known of agents of one shard.
-- KEYS  presences of agents
-- ARGV  names of fields
-- Returns for each that is known which of KEYS it is, from 1 on, and the values of its fields, "" for
-- none, as one text with commas between them: a text for each would be most of what the answer costs.
local there = redis.call('exists', unpack(KEYS))
if there == 0 then return {} end
local known = {}
for nth, key in ipairs(KEYS) do
  if there == #KEYS or redis.call('exists', key) == 1 then
    local values = redis.call('hmget', key, unpack(ARGV))
    for i = 1, #ARGV do values[i] = values[i] or '' end
    known[#known + 1] = nth .. ',' .. table.concat(values, ',')
  end
end
return known
