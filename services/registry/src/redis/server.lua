-- Stands before scripts that tell what is new.

-- Which run of a server answers: after a restart, or where a replica was promoted, the newest changes may be lost.
local function server()
  local info = redis.pcall('info', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
end

