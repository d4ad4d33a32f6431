import { HUB, TRIM } from './hub.ts';

/** Ms that what is known of a channel outlives its log: who was away for less loses nothing by its being forgotten. */
export const GRACE = 10 * 60_000;

/** Ms that a compacted channel is kept after its last event, or after it was last asked for: it is state, and has no age. */
export const COMPACTED = 30 * 24 * 60 * 60_000;

/** Ms that the result of a batch is kept, for the node that did not get it. */
const RESULT = 10 * 60_000;

/**
 * Adds a batch to the logs and gives it to the nodes, or does nothing at all. Everything is read before anything is
 * written, because what has been written stays when a script fails: a key of the wrong type, or one that is on its
 * way to another node of the cluster, must show before.
 *
 * ARGV: 6 the node; 7 the number of the batch; 8 how many channels, each with: name, events, bytes, age, compact
 * (1 or 0), ms until it can be forgotten; then the drafts, each with: which channel, kind (e, g, x), key, length of
 * the body in UTF-16 units, body.
 *
 * Answers what is in `answer`, and fifth: absent, the epoch is another one, nothing was stored; 'late', a newer
 * batch of this node has been here; else the first position and the drafts refused because their channel has ended.
 */
export const APPEND = `#!lua
${HUB}${TRIM}
if epoch ~= ARGV[1] then return answer end

local node, number = root .. epoch .. ':node:' .. ARGV[6], tonumber(ARGV[7])
local last = redis.call('GET', node)
if last then
  local before, result = string.match(last, '^(%d+) (.*)$')
  if tonumber(before) >= number then
    answer[5] = tonumber(before) == number and result or 'late'
    return answer
  end
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local channels = {}
local at = 8
for i = 1, tonumber(ARGV[8]) do
  local name = ARGV[at + 1]
  local channel = {
    name = name,
    log = root .. epoch .. ':log:' .. name,
    meta = root .. epoch .. ':meta:' .. name,
    keys = root .. epoch .. ':keys:' .. name,
    events = tonumber(ARGV[at + 2]),
    max = tonumber(ARGV[at + 3]),
    age = tonumber(ARGV[at + 4]),
    compact = ARGV[at + 5] == '1',
    ttl = tonumber(ARGV[at + 6]),
  }
  local meta = redis.call('HMGET', channel.meta, 'floor', 'bytes', 'ended', 'last', 'due', 'oldest')
  channel.last = tonumber(meta[4] or redis.call('ZSCORE', index, name) or 0)
  channel.due, channel.oldest = tonumber(meta[5] or 0), tonumber(meta[6] or 0)
  channel.floor = tonumber(meta[1] or 0)
  if not meta[1] then channel.floor = channel.last > 0 and channel.last or forgotten end
  channel.bytes = tonumber(meta[2] or 0)
  channel.ended = tonumber(meta[3] or nil)
  channel.size = redis.call('XLEN', channel.log)
  channel.isNew = channel.size == 0
  if channel.compact then redis.call('HLEN', channel.keys) end
  channel.isKept = channel.events > 0 and channel.max > 0 and channel.age > 0
  channels[i] = channel
  at = at + 6
end

local first = head + 1
local drafts, refused = {}, {}
for i = at + 1, #ARGV, 5 do
  local channel = channels[tonumber(ARGV[i])]
  if channel.ended then
    refused[#refused + 1] = (i - at - 1) / 5
  else
    head = head + 1
    drafts[#drafts + 1] = { channel, head, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4] }
    if ARGV[i + 1] == 'x' then channel.ended = head end
  end
end

local forgettable = redis.call('ZRANGE', due, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, #channels + 2)
for _, name in ipairs(forgettable) do
  forgotten = math.max(forgotten, tonumber(redis.call('ZSCORE', index, name) or 0))
end

redis.call('HSET', KEYS[1], 'seq', int(head), 'forgotten', int(forgotten))
for _, name in ipairs(forgettable) do
  redis.call('ZREM', index, name)
  redis.call('ZREM', due, name)
end

-- Entries that follow each other in one channel go out as one message:
-- epoch, position before, first position, lengths; a line break; bodies.
local run_of, lengths, bodies
local function flush()
  if run_of then
    redis.call(publish, root .. 'on:' .. run_of.name, table.concat(lengths, ' ') .. '\\n' .. table.concat(bodies))
  end
end

for _, draft in ipairs(drafts) do
  local channel, position, kind, key, length, body = unpack(draft)
  if channel ~= run_of then
    flush()
    run_of, bodies = channel, {}
    lengths = { epoch, int(channel.last), int(position) }
  end
  lengths[#lengths + 1] = length
  bodies[#bodies + 1] = body
  channel.before_end = channel.last
  channel.last = position
  if channel.isKept or kind == 'x' then
    local id, size = int(position) .. '-' .. int(now), #body + OVERHEAD
    if channel.compact and kind ~= 'x' then
      local older = redis.call('HGET', channel.keys, key)
      if older then
        local olderId, olderSize = string.match(older, '^(%S+) (%d+)$')
        channel.size = channel.size - redis.call('XDEL', channel.log, olderId)
        channel.bytes = channel.bytes - tonumber(olderSize)
      end
      redis.call('HSET', channel.keys, key, id .. ' ' .. size)
      redis.call('XADD', channel.log, id, 'd', body, 'k', kind .. key)
    else
      redis.call('XADD', channel.log, id, 'd', body)
    end
    if channel.size == 0 then channel.oldest = now end
    channel.size = channel.size + 1
    if kind ~= 'x' then channel.bytes = channel.bytes + size end
  end
end
flush()

for _, channel in ipairs(channels) do
  if channel.last >= first then
    if channel.isKept then
      trim(channel, now)
    else
      redis.call('DEL', channel.meta, channel.keys)
      if channel.ended then
        redis.call('XTRIM', channel.log, 'MINID', int(channel.ended))
      else
        redis.call('DEL', channel.log)
      end
      channel.floor, channel.bytes = channel.ended and channel.before_end or channel.last, 0
      channel.due = 0
    end
    if channel.isKept or channel.ended then
      -- Keys live for a little longer than they must, so that they are not touched each time.
      local isDue = channel.isNew or channel.due < now + channel.ttl
      if isDue then channel.due = now + math.floor(channel.ttl * 1.125) end
      redis.call('HSET', channel.meta, 'last', int(channel.last), 'floor', int(channel.floor),
        'bytes', int(channel.bytes), 'oldest', int(channel.oldest), 'due', int(channel.due),
        'age', int(channel.age), 'compact', channel.compact and '1' or '0')
      if channel.ended then redis.call('HSET', channel.meta, 'ended', int(channel.ended)) end
      if isDue then
        redis.call('PEXPIREAT', channel.meta, int(channel.due))
        redis.call('PEXPIREAT', channel.log, int(channel.due))
        redis.call('ZADD', due, int(channel.due + ${GRACE}), channel.name)
      end
      -- It goes and comes with its last key.
      if channel.compact then redis.call('PEXPIREAT', channel.keys, int(channel.due)) end
    else
      redis.call('ZADD', due, int(now + channel.ttl + ${GRACE}), channel.name)
    end
    redis.call('ZADD', index, int(channel.last), channel.name)
  end
end

local result = int(first) .. ' ' .. table.concat(refused, ',')
redis.call('SET', node, int(number) .. ' ' .. result, 'PX', ${RESULT})
answer[2] = int(head)
answer[5] = result
return answer
`;
