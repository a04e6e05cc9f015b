-- Stands before scripts that change the availability of an agent.

-- Tells watchers of an agent: puts it among the changes with a stamp that is later than every change before, and near
-- the time of day, so that it serves as a cursor and as a date.
local function tell(changes, clock, agent_id, kept)
  local time = redis.call('time')
  local last = tonumber(redis.call('hget', clock, 'last') or '0')
  local at = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), last + 1)
  local stamp = string.format('%.0f', at)
  redis.call('hset', clock, 'last', stamp)
  redis.call('hsetnx', clock, 'epoch', stamp)
  redis.call('pexpire', clock, kept * 2)
  redis.call('zadd', changes, stamp, agent_id)
  redis.call('zremrangebyscore', changes, '-inf', string.format('%.0f', at - kept * 1000))
  redis.call('pexpire', changes, kept)
end

