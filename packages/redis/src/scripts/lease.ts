import { FORMAT_VERSION } from './hub.ts';

/** ms until the Redis keys expire after the latest lease has expired. */
const RETENTION = 10 * 60_000;

/**
 * Changes and renews the keys that an owner holds in a lease set: hub.ts describes the keys. It does not read the log.
 *
 * ARGV: 1 the set; 2 the owner; 3 ms after which its lease expires; 4 the number of keys to hold; then the keys to
 * hold; then the keys to release.
 *
 * Returns the keys that were free before and are held now, and the keys that were held before and are free now.
 */
export const LEASE = `#!lua
local call = redis.call
local root = string.sub(KEYS[1], 1, -4)
local version = call('HGET', KEYS[1], 'version')
if version and version ~= '${FORMAT_VERSION}' then return redis.error_reply('VERSION ' .. version) end

local set, owner, ttl, holds = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local owners, leases = root .. 'owners:' .. set, root .. 'leases:' .. set
local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function int(number)
  return string.format('%.0f', number)
end

local function held_by(name)
  return root .. 'held:' .. name .. ':' .. set
end

local touched, before, after = {}, {}, {}

local function change(key, by)
  local count = call('HINCRBY', leases, key, by)
  if before[key] == nil then
    touched[#touched + 1] = key
    before[key] = count > by
  end
  after[key] = count > 0
  if count <= 0 then call('HDEL', leases, key) end
end

for _, other in ipairs(call('ZRANGEBYSCORE', owners, '-inf', int(now))) do
  for _, key in ipairs(call('SMEMBERS', held_by(other))) do change(key, -1) end
  call('DEL', held_by(other))
  call('ZREM', owners, other)
end
local held = held_by(owner)
for i = 5 + holds, #ARGV do
  if call('SREM', held, ARGV[i]) == 1 then change(ARGV[i], -1) end
end
for i = 5, 4 + holds do
  if call('SADD', held, ARGV[i]) == 1 then change(ARGV[i], 1) end
end

call('ZADD', owners, int(now + ttl), owner)
local latest = tonumber(call('ZRANGE', owners, -1, -1, 'WITHSCORES')[2])
for _, key in ipairs({ owners, leases, held }) do call('PEXPIREAT', key, int(latest + ${RETENTION})) end

local came, left = {}, {}
for _, key in ipairs(touched) do
  if after[key] and not before[key] then came[#came + 1] = key end
  if before[key] and not after[key] then left[#left + 1] = key end
end
return { came, left }
`;
