import { FORGET_DELAY, HUB, TRIM } from './hub.ts';

/** The letters of two kinds, as bytes. */
const [END, BEGIN] = [120, 98];

/** ms that the result of a batch is kept at least, for a process that did not get the reply. */
const RESULT_RETENTION = 10 * 60_000;

/** Positions between two sweeps for channels to forget. A sweep forgets up to three times as many channels. */
const SWEEP = 16;

/**
 * Appends a batch to the logs and publishes it to the processes, or does nothing at all. Everything is read before
 * anything is written, because a failing script does not undo its writes: a key of the wrong type, or one that is
 * migrating to another server of the cluster, must fail before.
 *
 * Most batches are one event. The script does nothing that such a batch does not need, and copies nothing that can
 * stay in ARGV: on a server that is mostly idle, each command takes three times as long as in a benchmark.
 *
 * ARGV: 7 the number of the batch; 8 the number of channels; 9 the number of drafts; for each channel: name, events,
 * bytes, age, compact (1 or 0), ms that its keys are kept; then for all drafts: the index of the channel; for all: the
 * letter of the kind (e, g, x, b, c: see format.ts) and the key; for all: the length of the entry in UTF-16 units; for all: the entry.
 *
 * Returns `reply`, with the result of the batch as the fifth: absent, the epoch is another one and nothing was stored;
 * 'late', a newer batch of this process was stored before; otherwise the first position, a space, and the drafts that
 * did not get the next position, separated by commas: the index of a draft that was refused because its channel has
 * ended; `index=position` of a `begin` that changed nothing.
 */
export const APPEND = `#!lua
${HUB}${TRIM}
if epoch ~= ARGV[1] then return reply end

local process, number = ARGV[6], tonumber(ARGV[7])
if hub[7] then
  local before, result = string.match(hub[7], '^(%d+) %d+ (.*)$')
  if tonumber(before) >= number then
    reply[5] = tonumber(before) == number and result or 'late'
    return reply
  end
end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local channels = {}
local isSweep = false
local at = 10
for i = 1, tonumber(ARGV[8]) do
  local name = ARGV[at]
  local log, meta = prefix .. 'log:' .. name, prefix .. 'meta:' .. name
  local is = call('HMGET', meta, 'trimmed', 'bytes', 'ended', 'oldest', 'due', 'age', 'compact', 'begun')
  local last, size = tonumber(call('ZSCORE', index, name) or 0), call('XLEN', log)
  local compact, ttl = ARGV[at + 4] == '1', tonumber(ARGV[at + 5])
  local channel = {
    name = name, log = log, meta = meta, last = last, before_end = 0, size = size, compact = compact, ttl = ttl,
    events = tonumber(ARGV[at + 1]), max = tonumber(ARGV[at + 2]), age = tonumber(ARGV[at + 3]),
    trimmed = tonumber(is[1] or last > 0 and last or forgotten), bytes = tonumber(is[2] or 0),
    ended = tonumber(is[3] or nil), begun = tonumber(is[8] or nil), oldest = tonumber(is[4] or 0), due = tonumber(is[5] or 0),
    keys = compact and prefix .. 'keys:' .. name, hasKeys = false, isKept = false, isFresh = false, isDue = false,
  }
  -- The keys of the channel may have expired before it is forgotten.
  if not is[1] and last > 0 then channel.ended = tonumber(call('ZSCORE', endings, name) or nil) end
  channel.wasEnded, channel.isEnded, channel.newest = channel.ended, channel.ended, last
  channel.isKept = channel.events > 0 and channel.max > 0 and channel.age > 0
  channel.hasKeys = compact and call('HLEN', channel.keys) > 0
  -- Keys are kept for a little longer than needed, so that not every call has to renew their expiry.
  channel.isDue = not channel.isKept or size == 0 or channel.due < now + ttl
  channel.isFresh = channel.isDue or is[6] ~= ARGV[at + 3] or is[7] ~= ARGV[at + 4]
  isSweep = isSweep or channel.isDue
  channels[i] = channel
  at = at + 6
end

-- Where the columns of the drafts begin.
local count = tonumber(ARGV[9])
local owners = at - 1
local tags, lengths, entries = owners + count, owners + 2 * count, owners + 3 * count

local first = head + 1
local exceptions = ''
-- Of each draft, whether it is stored.
local stored = {}
for i = 1, count do
  local channel = channels[tonumber(ARGV[owners + i])]
  local kind = string.byte(ARGV[tags + i])
  if (kind == ${BEGIN}) == (not channel.isEnded) then
    exceptions = exceptions .. (exceptions == '' and '' or ',') .. (i - 1)
    if kind == ${BEGIN} then
      exceptions = exceptions .. '=' .. int(channel.newest > 0 and channel.newest or head)
    end
  else
    head = head + 1
    stored[i], channel.newest = true, head
    if kind == ${END} or kind == ${BEGIN} then channel.isEnded = kind == ${END} end
  end
end

local forgettable = {}
if isSweep or math.floor(head / ${SWEEP}) ~= math.floor((first - 1) / ${SWEEP}) then
  forgettable = call('ZRANGE', due, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, #channels + ${3 * SWEEP})
end
for _, name in ipairs(forgettable) do
  forgotten = math.max(forgotten, tonumber(call('ZSCORE', index, name) or 0))
end
local idle = not hub[7] and call('ZRANGE', prefix .. 'processes', '-inf', int(now - ${RESULT_RETENTION}), 'BYSCORE', 'LIMIT', 0, 8)

local result = int(first) .. ' ' .. exceptions
call('HSET', KEYS[1], 'seq', int(head), process, ARGV[7] .. ' ' .. int(now) .. ' ' .. result)
if #forgettable > 0 then
  call('HSET', KEYS[1], 'forgotten', int(forgotten))
  call('ZREM', index, unpack(forgettable))
  call('ZREM', due, unpack(forgettable))
  call('ZREM', endings, unpack(forgettable))
end
if idle then
  for _, other in ipairs(idle) do
    local seen = tonumber(string.match(call('HGET', KEYS[1], other) or '', '^%d+ (%d+)') or 0)
    if seen + ${RESULT_RETENTION} > now then
      call('ZADD', prefix .. 'processes', int(seen), other)
    else
      call('ZREM', prefix .. 'processes', other)
      call('HDEL', KEYS[1], other)
    end
  end
  call('ZADD', prefix .. 'processes', int(now), process)
end

-- Consecutive entries of one channel are published as one message; format.ts decodes it.
local position, i = first - 1, 1
while i <= count do
  local owner = ARGV[owners + i]
  local channel = channels[tonumber(owner)]
  local from, start, before = i, position + 1, channel.last
  while stored[i] and ARGV[owners + i] == owner do
    position = position + 1
    local tag, body = ARGV[tags + i], ARGV[entries + i]
    local kind = string.byte(tag)
    local isMark = kind == ${END} or kind == ${BEGIN}
    if kind == ${END} then
      channel.ended, channel.before_end = position, channel.last
    elseif kind == ${BEGIN} then
      call('DEL', channel.log, prefix .. 'keys:' .. channel.name)
      channel.trimmed, channel.size, channel.bytes, channel.hasKeys = channel.ended, 0, 0, false
      channel.ended, channel.begun = nil, position
      -- The log is a new key, without an expiry.
      channel.isDue, channel.isFresh = true, true
    end
    channel.last = position
    if channel.isKept or kind == ${END} then
      local id, size = int(position) .. '-' .. int(now), #body + OVERHEAD
      if channel.compact and not isMark then
        local key = string.sub(tag, 2)
        local older = call('HGET', channel.keys, key)
        if older then
          local olderId, olderSize = string.match(older, '^(%S+) (%d+)$')
          channel.size = channel.size - call('XDEL', channel.log, olderId)
          channel.bytes = channel.bytes - tonumber(olderSize)
        end
        call('HSET', channel.keys, key, id .. ' ' .. size)
        call('XADD', channel.log, id, 'd', body, 'k', tag)
      else
        call('XADD', channel.log, id, 'd', body)
      end
      if channel.size == 0 then channel.oldest = now end
      channel.size = channel.size + 1
      if not isMark then channel.bytes = channel.bytes + size end
    end
    i = i + 1
  end
  if i == from then
    i = i + 1
  else
    -- Before the publish: if that fails, processes find the gap with the next message.
    call('ZADD', index, int(channel.last), channel.name)
    call(publish, root .. 'on:' .. channel.name, epoch .. ' ' .. int(before) .. ' ' .. int(start) .. ' ' ..
      table.concat(ARGV, ' ', lengths + from, lengths + i - 1) .. '\\n' ..
      table.concat(ARGV, '', entries + from, entries + i - 1))
  end
end

for _, channel in ipairs(channels) do
  if channel.last >= first then
    if channel.isKept then
      trim(channel, now)
    else
      call('DEL', channel.meta, prefix .. 'keys:' .. channel.name)
      if channel.ended then
        call('XTRIM', channel.log, 'MINID', int(channel.ended))
      else
        call('DEL', channel.log)
      end
      channel.trimmed, channel.bytes = channel.ended and channel.before_end or channel.last, 0
    end
    if channel.isDue then channel.due = now + math.floor(channel.ttl * 1.125) end
    if channel.isKept or channel.ended then
      call('HSET', channel.meta, 'trimmed', int(channel.trimmed), 'bytes', int(channel.bytes), 'oldest', int(channel.oldest))
      if channel.isFresh then
        call('HSET', channel.meta, 'due', int(channel.due), 'age', int(channel.age),
          'compact', channel.compact and '1' or '0')
      end
      if channel.ended then call('HSET', channel.meta, 'ended', int(channel.ended)) end
      if channel.isFresh and channel.begun then call('HSET', channel.meta, 'begun', int(channel.begun)) end
      if channel.isDue then
        call('PEXPIREAT', channel.meta, int(channel.due))
        call('PEXPIREAT', channel.log, int(channel.due))
      end
      -- Redis deletes the hash with its last key, and its expiry with it.
      if channel.compact and (channel.isDue or not channel.hasKeys) then
        call('PEXPIREAT', channel.keys, int(channel.due))
      end
    end
    if channel.ended ~= channel.wasEnded then
      if channel.ended then
        call('ZADD', endings, int(channel.ended), channel.name)
      else
        call('ZREM', endings, channel.name)
        call('HDEL', channel.meta, 'ended')
      end
    end
    if channel.isDue then call('ZADD', due, int(channel.due + ${FORGET_DELAY}), channel.name) end
  end
end

reply[2] = int(head)
reply[5] = result
return reply
`;
